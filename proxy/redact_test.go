package proxy

import "testing"

func TestErrorsAreToldWithoutTheOperatorsAccount(t *testing.T) {
	for in, want := range map[string]string{
		`{"error":{"message":"Rate limit reached for gpt-4o in organization org-Ab1cD2eF3 on tokens per min"}}`: `{"error":{"message":"Rate limit reached for gpt-4o in organization org-withheld on tokens per min"}}`,
		`project proj_0123456789 has no access`:                                                    `project proj-withheld has no access`,
		`Incorrect API key provided: sk-proj-****************abcd.`:                                `Incorrect API key provided: sk-withheld.`,
		`Quota exceeded for projects/my-project-1 (project_number:123456789) by project 123456789`: `Quota exceeded for projects/-withheld (project_number:-withheld) by project -withheld`,
		`API key AIzaSyD-1234567890 not valid`:                                                     `API key AIza-withheld not valid`,
		`the project settings stay`:                                                                `the project settings stay`,
		`the task-specific risk-assessment, "disk-encryption" and org-x stay`:                      `the task-specific risk-assessment, "disk-encryption" and org-x stay`,
	} {
		if got := string(withoutAccount([]byte(in))); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
