-- Users, their passwords, what they prove themselves with, and what they were granted.
-- Times are microseconds since 1970 UTC. Lists are JSON arrays. Verifiers and digests are lower-case hex.

CREATE TABLE users (
    id            TEXT    NOT NULL PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL CHECK (kind IN ('human', 'machine')),
    group_names   TEXT    NOT NULL,
    is_admin      INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    is_disabled   INTEGER NOT NULL CHECK (is_disabled IN (0, 1)),
    password_hash TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL
);

CREATE TABLE credentials (
    id           TEXT   NOT NULL PRIMARY KEY,
    type         TEXT   NOT NULL CHECK (type IN ('token', 'access_key', 'browser')),
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT   NOT NULL,
    resource     TEXT   NOT NULL,
    login        TEXT   UNIQUE,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);

CREATE INDEX credentials_by_user ON credentials (user_id);
CREATE INDEX credentials_by_expiry ON credentials (expires_at);

-- A protocol that never sees the secret needs a verifier of its own scheme; sha256 is the one of all others.
CREATE TABLE verifiers (
    scheme        TEXT NOT NULL,
    verifier      TEXT NOT NULL,
    credential_id TEXT NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
    PRIMARY KEY (scheme, verifier)
);

CREATE INDEX verifiers_by_credential ON verifiers (credential_id);

CREATE TABLE grants (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   REFERENCES users (id) ON DELETE CASCADE,
    group_name TEXT   NOT NULL,
    resource   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) <> (group_name = ''))
);

CREATE INDEX grants_by_expiry ON grants (expires_at);
CREATE INDEX grants_by_user ON grants (user_id);
