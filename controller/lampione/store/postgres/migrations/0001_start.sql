-- The store of a city. No serials, triggers, advisory locks or foreign keys from telemetry, so that
-- what speaks PostgreSQL's language over many machines can take its place. Times are Unix seconds
-- but for `ts` and `received` of the typed rows.

-- Numbers given last: nodes and boots are numbered from 1 without a hole.
CREATE TABLE ids (
  nodes integer NOT NULL,
  epochs integer NOT NULL,
  commands integer NOT NULL
);
INSERT INTO ids VALUES (0, 0, 0);

CREATE TABLE nodes (
  id integer PRIMARY KEY,
  name text NOT NULL UNIQUE,
  line text,                    -- fleet.sequences.Line as JSON, committed with the frames it counts
  counter bigint NOT NULL DEFAULT 0,  -- the last one given to a command
  hello bytea,                  -- text of the last accepted hello
  hello_at double precision
);

-- One boot of a node. Identity of a frame is (node, epoch, boot, seq).
CREATE TABLE epochs (
  id integer PRIMARY KEY,
  node integer NOT NULL,
  epoch bytea NOT NULL,
  boot integer NOT NULL,
  first_seq integer,            -- NULL until its hello
  hello_at double precision,
  superseded boolean NOT NULL DEFAULT false,  -- the node's flash was wiped or restored since
  UNIQUE (node, epoch, boot)
);

-- store.held: the numbers of a boot that are stored, but for those in `batches`.
CREATE TABLE held (
  epoch integer PRIMARY KEY,
  body bytea NOT NULL
);

-- What is not numerous, and what a node with an absurd clock says: no partition is made for it.
CREATE TABLE frames (
  node integer NOT NULL,
  epoch integer NOT NULL,       -- epochs.id
  seq integer NOT NULL,
  type smallint NOT NULL,
  received double precision NOT NULL,
  at bigint,                    -- of the message; NULL: the node did not know the time
  body bytea NOT NULL,          -- opened, as encoded by the node
  PRIMARY KEY (epoch, seq)
);
CREATE INDEX frames_node ON frames (node, type);
CREATE INDEX frames_type ON frames (type, received);

-- The journal of what is not rolled up yet: what a commit appends, as store.batches.
CREATE TABLE batches (
  id bigint PRIMARY KEY,        -- drawn
  count integer NOT NULL,
  oldest double precision NOT NULL,  -- of arrival
  newest double precision NOT NULL,
  body bytea NOT NULL
);

CREATE TABLE rollups (
  level integer NOT NULL,       -- seconds of a bucket
  start bigint NOT NULL,
  measure text NOT NULL,
  block integer NOT NULL,       -- nodes 1024 * block and on
  body bytea NOT NULL,          -- rollup.Block
  PRIMARY KEY (level, measure, start, block)
);

-- The newest report and health of each node that is rolled up.
CREATE TABLE newest (
  block integer NOT NULL,
  type smallint NOT NULL,
  body bytea NOT NULL,          -- store.batches
  PRIMARY KEY (block, type)
);

CREATE TABLE losses (
  node integer NOT NULL,
  number integer NOT NULL,      -- of the node's, rising
  first integer NOT NULL,
  last integer NOT NULL,
  at double precision NOT NULL,
  why text NOT NULL,
  PRIMARY KEY (node, number)
);

CREATE TABLE commands (
  id integer PRIMARY KEY,
  node integer NOT NULL REFERENCES nodes (id),
  "order" text NOT NULL,        -- JSON, as people gave it
  state text NOT NULL,
  final boolean NOT NULL,
  counter bigint,
  epoch bytea,                  -- that `frame` is sealed under
  frame bytea,                  -- the sealed bytes, sent again as they are
  reason text,
  level integer,
  value integer,
  created double precision NOT NULL,
  expires double precision NOT NULL,
  changed double precision NOT NULL
);
CREATE INDEX commands_node ON commands (node, id);
CREATE INDEX commands_open ON commands (id) WHERE NOT final;

CREATE TABLE configs (
  node integer NOT NULL REFERENCES nodes (id),
  version integer NOT NULL,
  digest bytea NOT NULL,        -- first bytes of the SHA-256
  sealed bytea NOT NULL,        -- under a key of the node's: the database holds no secret
  created double precision NOT NULL,
  confirmed double precision,   -- when the node was known to run it for good
  PRIMARY KEY (node, version)
);

CREATE TABLE rollouts (
  node integer PRIMARY KEY REFERENCES nodes (id),
  version integer NOT NULL,
  phase text NOT NULL,
  sent integer NOT NULL,        -- bytes that the node said it holds
  trial_s integer NOT NULL,
  first_counter bigint NOT NULL,  -- results of earlier Setups are of another rollout
  epoch bytea,                  -- the node's when it was told to apply
  reason text,
  created double precision NOT NULL,
  changed double precision NOT NULL
);

CREATE TABLE refusals (
  node text NOT NULL,           -- '': of no node that we know
  reason text NOT NULL,
  count bigint NOT NULL,
  last double precision NOT NULL,
  PRIMARY KEY (node, reason)
);

CREATE TABLE totals (
  name text PRIMARY KEY,
  value bigint NOT NULL
);

-- The numerous messages as typed rows in the schema's steps, NULL: unknown; a partition a day of
-- UTC. `ts` is the node's time, or its arrival where the node had none (`timed` is false), and
-- never changes. `epoch` has the four bytes of the node's. Where `body` is there, the message is
-- not what its columns could say: out of range, cut short, or of a newer sender.
CREATE TABLE reports (
  ts timestamptz NOT NULL,
  received timestamptz NOT NULL,
  node integer NOT NULL,
  epoch integer NOT NULL,
  boot integer NOT NULL,
  seq integer NOT NULL,
  "start" integer,
  "ambient_light" integer,
  "duration_s" smallint,
  "clock" smallint,
  "pm1" smallint,
  "pm2_5" smallint,
  "pm10" smallint,
  "no2" smallint,
  "o3" smallint,
  "temperature" smallint,
  "humidity" smallint,
  "laeq" smallint,
  "lafmax" smallint,
  "la10" smallint,
  "la50" smallint,
  "la90" smallint,
  "lceq" smallint,
  "sound_valid" smallint,
  "vehicles_toward" smallint,
  "vehicles_away" smallint,
  "speed_mean" smallint,
  "speed_max" smallint,
  "presence" smallint,
  "lamp_level" smallint,
  "lamp_reason" smallint,
  "lamp_power" smallint,
  "valid" smallint,
  "faults" smallint,
  timed boolean NOT NULL,
  body bytea,
  PRIMARY KEY (node, epoch, boot, seq, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX reports_ts ON reports USING brin (ts);

CREATE TABLE healths (
  ts timestamptz NOT NULL,
  received timestamptz NOT NULL,
  node integer NOT NULL,
  epoch integer NOT NULL,
  boot integer NOT NULL,
  seq integer NOT NULL,
  "time" integer,
  "energy" integer,
  "burn_hours" integer,
  "uptime" integer,
  "outbox_depth" integer,
  "outbox_drops" integer,
  "refused_frames" integer,
  "clock" smallint,
  "correction_set" smallint,
  "voltage" smallint,
  "board_temperature" smallint,
  "rssi" smallint,
  "tilt" smallint,
  "free_heap" smallint,
  "task_restarts" smallint,
  "state_particulates" smallint,
  "state_no2" smallint,
  "state_o3" smallint,
  "state_climate" smallint,
  "state_sound" smallint,
  "state_radar" smallint,
  "state_light" smallint,
  "state_energy" smallint,
  "state_tilt" smallint,
  "idle" smallint,
  timed boolean NOT NULL,
  body bytea,
  PRIMARY KEY (node, epoch, boot, seq, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX healths_ts ON healths USING brin (ts);

CREATE TABLE hours (
  ts timestamptz NOT NULL,
  received timestamptz NOT NULL,
  node integer NOT NULL,
  epoch integer NOT NULL,
  boot integer NOT NULL,
  seq integer NOT NULL,
  "start" integer,
  "part" smallint,
  "vehicles_toward" smallint,
  "vehicles_away" smallint,
  "v85" smallint,
  "v85_too_few" smallint,
  "bin_0" smallint,
  "bin_1" smallint,
  "bin_2" smallint,
  "bin_3" smallint,
  "bin_4" smallint,
  "bin_5" smallint,
  "bin_6" smallint,
  "bin_7" smallint,
  "bin_8" smallint,
  "bin_9" smallint,
  "bin_10" smallint,
  "bin_11" smallint,
  "occupancy" smallint,
  "clock" smallint,
  timed boolean NOT NULL,
  body bytea,
  PRIMARY KEY (node, epoch, boot, seq, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX hours_ts ON hours USING brin (ts);

CREATE TABLE raws (
  ts timestamptz NOT NULL,
  received timestamptz NOT NULL,
  node integer NOT NULL,
  epoch integer NOT NULL,
  boot integer NOT NULL,
  seq integer NOT NULL,
  "start" integer,
  "no2_working" integer,
  "no2_auxiliary" integer,
  "o3_working" integer,
  "o3_auxiliary" integer,
  "duration_s" smallint,
  "clock" smallint,
  "pm1" smallint,
  "pm2_5" smallint,
  "pm10" smallint,
  "temperature" smallint,
  "humidity" smallint,
  timed boolean NOT NULL,
  body bytea,
  PRIMARY KEY (node, epoch, boot, seq, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX raws_ts ON raws USING brin (ts);
