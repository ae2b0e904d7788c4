package proxy

import "testing"

func TestErrorsAreToldWithoutTheOperatorsAccount(t *testing.T) {
	for in, want := range map[string]string{
		`{"error":{"message":"Rate limit reached for gpt-4o in organization org-Ab1cD2eF3 on tokens per min"}}`: `{"error":{"message":"Rate limit reached for gpt-4o in organization org-withheld on tokens per min"}}`,
		`project proj_0123456789 has no access`:                               `project proj-withheld has no access`,
		`Incorrect API key provided: sk-proj-****************abcd.`:           `Incorrect API key provided: sk-withheld.`,
		`the task-specific risk-assessment, "disk-encryption" and org-x stay`: `the task-specific risk-assessment, "disk-encryption" and org-x stay`,
	} {
		if got := string(withoutAccount([]byte(in))); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
