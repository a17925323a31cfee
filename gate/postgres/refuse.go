package postgres

import "weir"

// SQLSTATEs that the gateway says itself (PostgreSQL documentation, appendix "PostgreSQL Error Codes").
const (
	stateDenied    = "42501" // insufficient_privilege
	stateWithdrawn = "57014" // query_canceled
	stateEnded     = "57P01" // admin_shutdown
	stateFault     = "58000" // system_error
	stateTarget    = "08006" // connection_failure
	stateProtocol  = "08P01" // protocol_violation
	stateIdentity  = "28000" // invalid_authorization_specification
	stateBusy      = "53300" // too_many_connections
)

func sqlState(k weir.DenyKind) string {
	switch k {
	case weir.DeniedByFault:
		return stateFault
	case weir.DeniedByRule, weir.DeniedContent:
		return stateDenied
	case weir.DeniedUnapproved:
		return stateWithdrawn
	case weir.DeniedSession:
		return stateEnded
	case weir.DeniedIdentity:
		return stateIdentity
	case weir.DeniedRate:
		return stateBusy
	case weir.DeniedTarget:
		return stateTarget
	case weir.DeniedRequest:
		return stateProtocol
	}
	return stateFault
}

// appendRefusal appends an ErrorResponse.
func appendRefusal(dst []byte, severity string, d *weir.Denied) []byte {
	dst, at := begin(dst, 'E')
	dst = appendField(dst, 'S', severity)
	dst = appendField(dst, 'V', severity)
	state := sqlState(d.Kind)
	if d.Said {
		state = stateDenied
	}
	dst = appendField(dst, 'C', state)
	dst = appendField(dst, 'M', "refused by the gateway: "+d.Reason)
	dst = appendField(dst, 'D', refusalDetail(d))
	dst = appendField(dst, 'H', d.Hint)
	return finish(append(dst, 0), at)
}

// refusalDetail says which rule a refusal is by, and the request that it is found by.
func refusalDetail(d *weir.Denied) string {
	detail := ""
	if d.Rule != "" {
		detail = "rule " + d.Rule
	}
	if d.Request != "" {
		if detail != "" {
			detail += ", "
		}
		detail += "request " + string(d.Request)
	}
	return detail
}

// appendNotice appends a NoticeResponse of class warning.
func appendNotice(dst []byte, message, detail, hint string) []byte {
	dst, at := begin(dst, 'N')
	dst = appendField(dst, 'S', "NOTICE")
	dst = appendField(dst, 'V', "NOTICE")
	dst = appendField(dst, 'C', "01000")
	dst = appendField(dst, 'M', message)
	dst = appendField(dst, 'D', detail)
	dst = appendField(dst, 'H', hint)
	return finish(append(dst, 0), at)
}

// appendField appends a field of an error. A NUL ends it.
func appendField(dst []byte, typ byte, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, typ)
	for i := range len(value) {
		if value[i] == 0 {
			break
		}
		dst = append(dst, value[i])
	}
	return append(dst, 0)
}

func appendReady(dst []byte, status byte) []byte { return append(dst, 'Z', 0, 0, 0, 5, status) }

// Refuse is the last word of a session that ends; nothing in the middle of a message, and nothing behind the target's own.
func (c *codec) Refuse(dst []byte, d *weir.Denied) []byte {
	if c.big != nil || c.leaves {
		return dst
	}
	return appendRefusal(dst, "FATAL", d)
}
