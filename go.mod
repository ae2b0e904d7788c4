module purser

go 1.26.0
