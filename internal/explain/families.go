package explain

// families are words that mean the same in a failure, for rules to name as
// {name}. Their members are parted by "|" and written as in a rule.
var families = map[string]string{}
