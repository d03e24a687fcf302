# Operation
