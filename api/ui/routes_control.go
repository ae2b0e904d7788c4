package ui

// controlRoutes are the pages that change what is allowed, and those of the cluster.
var controlRoutes = []route{}
