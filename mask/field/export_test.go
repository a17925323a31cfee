package field

// Judge is Match by somebody who has never seen the name.
func (n *Names) Judge(name []byte) Strength { return n.judge(name) }
