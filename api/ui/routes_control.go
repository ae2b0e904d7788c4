package ui

// controlRoutes are the pages by which the cluster is run.
var controlRoutes = []route{
	{"GET /ui/budgets", budgetsPage},
	{"POST /ui/budgets", createBudget},
	{"GET /ui/budgets/{id}", budgetPage},
	{"POST /ui/budgets/{id}", changeBudget},
	{"GET /ui/keys", keysPage},
	{"POST /ui/keys", createKey},
	{"GET /ui/keys/{id}", keyPage},
	{"POST /ui/keys/{id}", changeKey},
}
