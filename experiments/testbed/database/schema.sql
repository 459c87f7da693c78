-- The trading system's data and what a game day asks of it. Run by a superuser in database grandmodel, as often as one likes.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
BEGIN;

DO $$
DECLARE
    who text;
BEGIN
    FOREACH who IN ARRAY ARRAY['app', 'prober', 'operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = who) THEN
            EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', who, who);
        END IF;
    END LOOP;
END $$;

CREATE TABLE IF NOT EXISTS orders (
    key bigint PRIMARY KEY,
    seq bigint NOT NULL,
    sent_us bigint NOT NULL,
    instrument int NOT NULL,
    quantity int NOT NULL,
    timeline int NOT NULL,
    position bigint NOT NULL,
    written_us bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS positions (
    instrument int PRIMARY KEY,
    quantity bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);  -- rows change in place
CREATE TABLE IF NOT EXISTS probe_writes (
    key bigint NOT NULL,
    sent_us bigint NOT NULL,
    timeline int NOT NULL,
    position bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS probe_writes_key ON probe_writes (key);
CREATE TABLE IF NOT EXISTS writer_lease (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    region text NOT NULL,
    until_us bigint NOT NULL
);
INSERT INTO positions (instrument) SELECT generate_series(0, 7) ON CONFLICT DO NOTHING;
INSERT INTO writer_lease (region, until_us) VALUES ('', 0) ON CONFLICT DO NOTHING;

-- Where and when we are. The region is a setting of the server: data replicates, places do not.

CREATE OR REPLACE FUNCTION gameday_now_us() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

CREATE OR REPLACE FUNCTION gameday_region() RETURNS text LANGUAGE sql STABLE AS
$$ SELECT coalesce(current_setting('grandmodel.region', true), '') $$;

CREATE OR REPLACE FUNCTION gameday_position() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint;
    END IF;
    RETURN (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint;
END $$;

-- A primary's timeline is the first eight digits of the WAL file it writes; a standby knows what it receives and what it restarted from.
CREATE OR REPLACE FUNCTION gameday_timeline() RETURNS int LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN greatest((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()));
    END IF;
    RETURN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int;
END $$;

-- The writer's lease: whoever commits an order or a probe's row after it has run out is refused, at the commit itself.

CREATE OR REPLACE FUNCTION refuse_after_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF gameday_now_us() >= (SELECT until_us FROM writer_lease) THEN
        RAISE EXCEPTION 'the writer''s lease has expired' USING ERRCODE = 'LE001';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION add_to_position() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE positions SET quantity = quantity + NEW.quantity WHERE instrument = NEW.instrument;
    RETURN NULL;
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'orders_within_lease') THEN
        CREATE CONSTRAINT TRIGGER orders_within_lease AFTER INSERT OR UPDATE ON orders
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_after_lease();
        CREATE CONSTRAINT TRIGGER probes_within_lease AFTER INSERT OR UPDATE ON probe_writes
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_after_lease();
        CREATE TRIGGER orders_change_positions AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION add_to_position();
    END IF;
END $$;

-- What the risk service asks. The same key again finds the row that is there.

CREATE OR REPLACE FUNCTION gameday_order(a_key bigint, a_seq bigint, a_sent_us bigint, an_instrument int, a_quantity int)
RETURNS TABLE (region text, now_timeline int, timeline int, "position" bigint) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO orders AS o (key, seq, sent_us, instrument, quantity, timeline, position, written_us)
    VALUES (a_key, a_seq, a_sent_us, an_instrument, a_quantity, gameday_timeline(), gameday_position(), gameday_now_us())
    ON CONFLICT (key) DO NOTHING;
    RETURN QUERY SELECT gameday_region(), gameday_timeline(), o.timeline, o.position FROM orders o WHERE o.key = a_key;
END $$;

CREATE OR REPLACE FUNCTION gameday_order_read(a_key bigint)
RETURNS TABLE (region text, now_timeline int, timeline int, "position" bigint, copies int) LANGUAGE sql STABLE AS $$
    SELECT gameday_region(), gameday_timeline(), min(o.timeline), min(o.position), count(*)::int
    FROM orders o WHERE o.key = a_key
$$;

-- Positions and the instant they are true for: now on a primary, the last replayed commit on a standby.
CREATE OR REPLACE FUNCTION gameday_positions()
RETURNS TABLE (region text, timeline int, as_of_us bigint, quantities bigint[]) LANGUAGE sql VOLATILE AS $$
    SELECT gameday_region(), gameday_timeline(),
        CASE WHEN pg_is_in_recovery()
            THEN coalesce(extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000, 0)::bigint
            ELSE gameday_now_us() END,
        (SELECT array_agg(p.quantity ORDER BY p.instrument) FROM positions p)
$$;

-- What probers ask.

CREATE OR REPLACE FUNCTION gameday_probe(key bigint, sent_us bigint)
RETURNS TABLE (timeline int, "position" bigint, region text, writable boolean) LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
#variable_conflict use_column
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN QUERY SELECT gameday_timeline(), gameday_position(), gameday_region(), false;
        RETURN;
    END IF;
    INSERT INTO probe_writes VALUES ($1, $2, gameday_timeline(), gameday_position());
    RETURN QUERY SELECT p.timeline, p.position, gameday_region(), true
        FROM probe_writes p WHERE p.key = $1 AND p.sent_us = $2 ORDER BY p.position DESC LIMIT 1;
END $$;

CREATE OR REPLACE FUNCTION gameday_state()
RETURNS TABLE (in_recovery boolean, timeline int, "position" bigint, replayed_at_us bigint, streaming_standbys int, lease_until_us bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    SELECT pg_is_in_recovery(), gameday_timeline(), gameday_position(),
        (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint,
        (SELECT count(*)::int FROM pg_stat_replication WHERE state = 'streaming'),
        (SELECT until_us FROM writer_lease)
$$;

CREATE OR REPLACE FUNCTION gameday_orders(after_key bigint, up_to int)
RETURNS TABLE (key bigint, copies int, "position" bigint) LANGUAGE sql STABLE SECURITY DEFINER AS $$
    SELECT o.key, count(*)::int, min(o.position) FROM orders o WHERE o.key > after_key GROUP BY o.key ORDER BY o.key LIMIT up_to
$$;

CREATE OR REPLACE FUNCTION gameday_empty() RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
    TRUNCATE orders, probe_writes;
    UPDATE positions SET quantity = 0;
$$;

REVOKE EXECUTE ON FUNCTION gameday_empty() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gameday_empty() TO operator;
GRANT EXECUTE ON FUNCTION pg_promote(boolean, int) TO operator;
GRANT SELECT ON orders, positions, writer_lease TO app, operator, prober;
GRANT INSERT ON orders TO app;
GRANT UPDATE ON positions TO app;
GRANT UPDATE ON writer_lease TO operator;

COMMIT;
