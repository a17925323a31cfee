-- Requests for approval and the votes on them. Commands are masked. A user may be removed while its requests are kept.

CREATE TABLE requests (
    id          TEXT    NOT NULL PRIMARY KEY,
    session_id  TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    resource    TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    policy      TEXT    NOT NULL,
    user_name   TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    group_names TEXT    NOT NULL,
    command     TEXT    NOT NULL,
    rule        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    catalog_ids TEXT    NOT NULL,
    by_groups   TEXT    NOT NULL,
    by_count    INTEGER NOT NULL CHECK (by_count >= 1),
    within_us   BIGINT  NOT NULL,
    wait_us     BIGINT  NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used', 'expired')),
    created_at  BIGINT  NOT NULL,
    expires_at  BIGINT  NOT NULL,
    decided_at  BIGINT  NOT NULL,
    used_at     BIGINT  NOT NULL,
    CHECK ((state = 'used') = (used_at <> 0))
);

-- At most one request of a binding waits to be decided.
CREATE UNIQUE INDEX requests_pending ON requests (user_id, resource, digest, policy) WHERE state = 'pending';
CREATE INDEX requests_by_binding ON requests (user_id, resource, digest, policy, state);
CREATE INDEX requests_by_time ON requests (created_at);
CREATE INDEX requests_open ON requests (expires_at) WHERE state IN ('pending', 'approved');

CREATE TABLE votes (
    request_id TEXT    NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    voter_id   TEXT    NOT NULL,
    voter_name TEXT    NOT NULL,
    approve    INTEGER NOT NULL CHECK (approve IN (0, 1)),
    comment    TEXT    NOT NULL,
    voted_at   BIGINT  NOT NULL,
    PRIMARY KEY (request_id, position),
    UNIQUE (request_id, voter_id)
);
