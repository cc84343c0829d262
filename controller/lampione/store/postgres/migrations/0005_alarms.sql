ALTER TABLE ids ADD COLUMN alarms integer NOT NULL DEFAULT 0;

-- Conditions of nodes and of the controller (alarms.book), by name: they outlive the node.
CREATE TABLE alarms (
  id integer PRIMARY KEY,
  subject text NOT NULL,        -- a node, or the cause of many in words
  node text,                    -- NULL: a cause
  shard text NOT NULL,          -- whose worker judges it
  rule text NOT NULL,
  what text NOT NULL,
  severity text NOT NULL,
  active smallint NOT NULL,
  since double precision NOT NULL,          -- of the last time it began, by the sample's time
  raised double precision NOT NULL,         -- when it was learned of
  changed double precision NOT NULL,
  cleared double precision,                 -- by the sample's time
  count integer NOT NULL,
  value text,
  "limit" text,
  mend text,
  acked double precision,
  acked_by text,
  assignee text,
  note text,
  shelved double precision,                 -- until then
  members text NOT NULL         -- JSON: nodes, of a cause
);
CREATE INDEX alarms_standing ON alarms (id) WHERE active <> 0 OR acked IS NULL;

-- When each was so: what comes late is judged against these.
CREATE TABLE alarm_episodes (
  subject text NOT NULL,
  rule text NOT NULL,
  begin bigint NOT NULL,
  "end" bigint,                -- NULL: it is so
  alarm integer NOT NULL,
  PRIMARY KEY (subject, rule, begin)
);

-- From when on messages of a node have to be judged again: they came late.
CREATE TABLE alarm_late (
  node text NOT NULL,
  message text NOT NULL,
  since bigint NOT NULL,
  PRIMARY KEY (node, message)
);
