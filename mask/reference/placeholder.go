package reference

import (
	"bytes"
	"regexp"
)

// placeholder reports what people write where a secret belongs: masks, variables, references and words of manuals.
func placeholder(v []byte) bool {
	if len(v) == 0 || repeats(v) {
		return true
	}
	if len(v) > 200 {
		return false // no manual goes on so long
	}
	return variableTable.Match(v) || wordTable.Match(v)
}

// variableTable knows what another program fills in.
var variableTable = regexp.MustCompile(`^\$[A-Za-z_{(\[]|\$\{|\{\{|\$\(|^<[^>]*>$|^%[A-Za-z_]+%$|^\{[A-Za-z_.]+\}$|^#\{|^@[A-Z{]|^(?:vault|ssm|op|env|file|secretsmanager|arn|sops|ENC|kms|gcp|awssm)[:\[(]|^/run/|secrets?/|^!(?:Ref|Sub|GetAtt)`)

// wordTable knows what manuals and tests write.
var wordTable = regexp.MustCompile(`(?i)example|change.?me|place.?holder|redacted|\*{3}|x{5}|\.{3}|^your|^my[_-]|^test|dummy|sample|insert|replace|todo|fixme|^none|^null|undefined|password|passw|passwd|secret|token|default|s3cr3t|foobar|0123456|123456|abcdef|qwerty|hunter2$|masked|hidden|filtered|encrypted|sensitive`)

// repeats reports that one byte is more than half of v.
func repeats(v []byte) bool {
	var count [256]int
	for _, c := range v {
		if count[c]++; count[c]*2 > len(v) && len(v) > 3 {
			return true
		}
	}
	return bytes.Count(v, v[:1]) == len(v)
}
