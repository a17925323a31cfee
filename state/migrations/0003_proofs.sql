-- Credentials without a secret: SSH keys of users, and certificates that the gateway signed. The table is made anew
-- for its check of types; what refers to it moves first, so that nothing is deleted with the old one.
-- A verifier of scheme scram-sha-256 is iterations:salt:StoredKey:ServerKey; of ssh_key, the SHA-256 of the key in wire format.

CREATE TABLE credentials_new (
    id           TEXT   NOT NULL PRIMARY KEY,
    type         TEXT   NOT NULL CHECK (type IN ('token', 'access_key', 'browser', 'ssh_key', 'ssh_cert', 'client_cert')),
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    resource     TEXT   NOT NULL,
    login        TEXT   UNIQUE,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    public_key   TEXT   NOT NULL,
    serial       BIGINT NOT NULL
);

INSERT INTO credentials_new (id, type, user_id, name, resource, login, created_at, created_by, expires_at, last_used_at, public_key, serial)
    SELECT id, type, user_id, name, resource, login, created_at, created_by, expires_at, last_used_at, '', 0 FROM credentials;

CREATE TABLE verifiers_new (
    scheme        TEXT NOT NULL,
    verifier      TEXT NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials_new (id) ON DELETE CASCADE,
    PRIMARY KEY (scheme, verifier)
);

INSERT INTO verifiers_new (scheme, verifier, credential_id) SELECT scheme, verifier, credential_id FROM verifiers;

DROP TABLE verifiers;
DROP TABLE credentials;
ALTER TABLE credentials_new RENAME TO credentials;
ALTER TABLE verifiers_new RENAME TO verifiers;

CREATE INDEX credentials_by_user ON credentials (user_id);
CREATE INDEX credentials_by_expiry ON credentials (expires_at);
CREATE INDEX verifiers_by_credential ON verifiers (credential_id);
