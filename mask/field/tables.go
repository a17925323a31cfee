package field

// strongNames name secrets whatever the value looks like. Words are separated by spaces, names by commas.
const strongNames = `password, passwd, pwd, pass, pw, passphrase, passcode, passwords, secret, secrets, client secret, shared secret,
 app secret, api secret, secret key, private key, privatekey, api key, apikey, api keys, apikeys, access key, accesskey, secret access key, signing key, signing secret,
 encryption key, master key, data key, storage key, account key, shared access key, shared key, sas token, token, access token, refresh token, id token,
 auth token, authtoken, bearer, bearer token, jwt, jwt secret, session token, security token, csrf token, xsrf token, personal access token, oauth token, device code,
 authorization, proxy authorization, x api key, x auth token, private token, cookie, set cookie, session id, sessionid, jsessionid, phpsessid,
 connect sid, credential, credentials, creds, service account key, keyfile json, connection string, connectionstring, conn str, connstr, conninfo, dsn, sasl jaas config,
 keystore password, totp secret, otp secret, otpauth, mfa secret, recovery code, recovery codes, backup codes, mnemonic, pepper, hmac key, hmac secret,
 x amz signature, x amz credential, x amz security token, x goog signature, rolpassword, authentication string, password hash, salted hash, stored key, server key,
 storedkey, serverkey, community string, auth key, priv key, psk, pre shared key, presharedkey, license key, ssh key, gpg key, age secret key, unseal key, unseal keys, root token, bootstrap token,
 join token, registration token, runner token, deploy key, bot token, webhook secret, webhook url, requirepass, masterauth, pgpassword, mysql pwd,
 rediscli auth, vcap services, spring application json, aws secret access key, aws session token, subconninfo, primary conninfo, umoptions, identity token, xsrf, erlang cookie, credential value,
 auth salt, nonce salt, nonce key, logged in salt, sonar login, report password, admin pass, root pass, db pass, user pass, smtp pass, bind pw, bindpw, ldapbindpasswd, radiussecret, privkey, secretkey, dek, kek, rootpw, storepass, keypass, secure string, keys base, blowfish secret, passwordsalt`

// weakNames name secrets when the value looks opaque.
const weakNames = `auth, session, sid, sig, signature, key, salt, seed, nonce secret, secret id, otp, pin, code verifier, access key id, database url, db url, redis url,
 mongo uri, mongodb uri, amqp url, broker url, jdbc url, license, certificate key, hmac, sas, pat, pem, pfx, x csrf token, csrf, passkey, ticket, assertion, saml response`

// clearNames look like the above and are not.
const clearNames = `primary key, foreign key, partition key, sort key, row key, cache key, public key, publickey, unique key, index key, object key, routing key, message key, idempotency key, group key,
 dedup key, lookup key, translation key, key id, host key, hot key, map key, next token, next page token, page token, continuation token, continue token, cancellation token, sync token, public token, token type,
 tokens used, max tokens, total tokens, prompt tokens, completion tokens, password policy, password changed at, has password, requires password, pass rate, passed, auth method, auth type, auth mode, session count, session name,
 signature count, pin code, git hash, commit hash, content hash, block hash, file hash, tree hash, identity provider, cache hash, first pass, second pass, to pass, must pass, should pass, will pass, cannot pass, boarding pass, hash key, request token, client request token, change token, lock token, creation token, idempotency token, sequence token, next sequence token, upload sequence token, marker token, input token, output token, starting token,
 sec web socket key, web socket accept, key check value`

// neutral words at the end of a name make it describe a secret rather than hold one.
var neutral = map[string]bool{ //nolint:gochecknoglobals // a table
	"id": true, "ids": true, "name": true, "names": true, "type": true, "url": true, "uri": true, "endpoint": true, "file": true, "filename": true, "path": true, "dir": true, "length": true, "len": true, "size": true,
	"count": true, "limit": true, "max": true, "min": true, "expires": true, "expiry": true, "expiration": true, "at": true, "in": true, "on": true, "ttl": true, "age": true, "timeout": true, "policy": true, "hint": true, "enabled": true,
	"disabled": true, "required": true, "valid": true, "version": true, "encryption": true, "algorithm": true, "alg": true, "method": true, "mode": true, "format": true, "encoding": true, "provider": true, "issuer": true, "ref": true,
	"reference": true, "arn": true, "status": true, "state": true, "created": true, "updated": true, "changed": true, "used": true, "strength": true, "rotation": true, "reset": true, "manager": true, "store": true, "source": true,
	"prefix": true, "suffix": true, "label": true, "description": true, "title": true, "field": true, "column": true, "index": true, "class": true, "kind": true, "exists": true, "set": true, "present": true, "is": true, "rate": true, "usage": true,
	"with": true, "options": true, "option": true, "scheme": true, "regexp": true, "regex": true, "pattern": true, "parser": true, "lexer": true, "scope": true, "scopes": true, "restype": true, "spec": true, "strategy": true, "configuration": true, "configurations": true, "config": true, "settings": true, "stdin": true,
	"arg": true, "args": true, "argument": true, "arguments": true, "fds": true, "stmt": true, "statement": true, "stream": true, "node": true, "expr": true, "ctx": true, "context": true, "through": true, "cmd": true, "command": true, "argtypes": true, "audience": true, "owner": true, "user": true, "username": true, "date": true, "time": true, "timestamp": true, "seconds": true, "ms": true, "days": true, "bits": true, "rounds": true, "iterations": true,
}

// aboutNames end the names of what an object tells about its secret, rather than of the secret.
const aboutNames = `description, title, comment, ref, pattern, format, type, length, required, optional, enum, minimum, maximum, max items, min items, schema, scheme, documentation,
 expires, expiry, expiration, ttl, created, updated, algorithm, alg, arn, username, shape, operation, status, scope, scopes, enabled, disabled, version, path,
 expires in, expires at, created at, updated at, issued at, valid until`

// aboutLast do so behind another word.
const aboutLast = `name, id, date, time, count`

// verbNames begin the names of what programs do with secrets.
const verbNames = `create, delete, update, get, list, put, describe, generate, revoke, rotate, reset, restore, change, cancel, invalidate, batch, associate, disassociate, activate, deactivate`
