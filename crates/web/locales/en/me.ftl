# My record
