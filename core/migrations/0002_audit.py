import core.clock
from core.db.row_security import GrantTable
from django.db import migrations, models

# The text that a digest is of: every column, unambiguously, in PostgreSQL's one form of JSON.
TEXT = """
CREATE FUNCTION clera_audit_text(e core_auditentry) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_array(
        e.id, (extract(epoch FROM e.at) * 1000000)::bigint, e.action, e.principal, e.request_id,
        e.subject_kind, e.subject_id, e.user_id, e.details
    )::text
$$;
"""
# These run as their owner: whoever adds an entry may neither choose its digest nor skip the queue.
DIGEST = """
CREATE FUNCTION clera_audit_digest() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    NEW.at := clera_now();
    NEW.digest := sha256(convert_to(clera_audit_text(NEW), 'UTF8'));
    RETURN NEW;
END $$;
CREATE TRIGGER digest BEFORE INSERT ON core_auditentry
    FOR EACH ROW EXECUTE FUNCTION clera_audit_digest();

CREATE FUNCTION clera_audit_queue() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO core_auditpending (entry_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER queue AFTER INSERT ON core_auditentry
    FOR EACH ROW EXECUTE FUNCTION clera_audit_queue();
"""
# Privileges bind the product's roles; these triggers bind the owner of the tables as well. Only a
# test database may be emptied.
APPEND_ONLY = """
CREATE FUNCTION clera_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() ~ '^test_' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION clera_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_auditlink
    FOR EACH STATEMENT EXECUTE FUNCTION clera_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_intentstep
    FOR EACH STATEMENT EXECUTE FUNCTION clera_append_only();
"""
# What the triggers of `core.db.audit_trail.AuditChanges` call.
ROWS = """
CREATE FUNCTION clera_audit_row(
    action text, subject_kind text, subject_id text, user_id text, before jsonb, after jsonb
) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO core_auditentry
           (action, principal, request_id, subject_kind, subject_id, user_id, details, digest)
    VALUES (
        action,
        coalesce(nullif(current_setting('clera.principal', true), ''), 'nobody'),
        coalesce(current_setting('clera.request_id', true), ''),
        subject_kind, subject_id, coalesce(user_id, ''),
        jsonb_strip_nulls(jsonb_build_object('from', before, 'to', after)),
        ''
    )
$$;
"""
# Links entries that wait, in their order; nobody else may add a link or empty the queue. The hash is
# the one that `core.audit.chain.link_hash` computes when it verifies.
EXTEND = """
CREATE FUNCTION clera_audit_extend(batch integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint;
    before bytea;
    waiting record;
    linked integer := 0;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended('clera audit chain', 0)) THEN
        RETURN 0;
    END IF;
    SELECT seq, hash INTO place, before FROM core_auditlink ORDER BY seq DESC LIMIT 1;
    IF place IS NULL THEN
        place := 0;
        before := sha256('clera audit chain');
    END IF;
    FOR waiting IN
        WITH taken AS (
            DELETE FROM core_auditpending WHERE entry_id IN (
                SELECT entry_id FROM core_auditpending ORDER BY entry_id LIMIT batch
            ) RETURNING entry_id
        )
        SELECT entry.id, entry.digest FROM taken
          JOIN core_auditentry AS entry ON entry.id = taken.entry_id ORDER BY entry.id
    LOOP
        place := place + 1;
        before := sha256(before || int8send(place) || int8send(waiting.id) || waiting.digest);
        INSERT INTO core_auditlink (seq, entry_id, hash) VALUES (place, waiting.id, before);
        linked := linked + 1;
    END LOOP;
    RETURN linked;
END $$;
REVOKE EXECUTE ON FUNCTION clera_audit_extend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION clera_audit_extend TO clera_app;
"""
# What the roles may say of an entry; its number, its time and its digest are not theirs to choose.
SAID = "action, principal, request_id, subject_kind, subject_id, user_id, details"
# Only the product's own workers and staff read the trail; everybody adds to it.
VISIBILITY = """
ALTER TABLE core_auditentry ENABLE ROW LEVEL SECURITY;
CREATE POLICY core_auditentry_read ON core_auditentry FOR SELECT TO clera_app
    USING ((SELECT current_setting('clera.system', true)) = 'on');
CREATE POLICY core_auditentry_add ON core_auditentry FOR INSERT TO clera_app, clera_agents
    WITH CHECK (true);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='intentstep',
            name='vendor_at',
            field=models.DateTimeField(blank=True, help_text="When it happened, in the vendor's words.", null=True),
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=core.clock.Now())),
                ('action', models.CharField(help_text='What happened, such as `pii.revealed`.', max_length=64)),
                ('principal', models.CharField(help_text='Which credential did it.', max_length=300)),
                ('request_id', models.CharField(blank=True, max_length=64)),
                ('subject_kind', models.CharField(blank=True, max_length=64)),
                ('subject_id', models.CharField(blank=True, max_length=64)),
                ('user_id', models.CharField(blank=True, max_length=255, verbose_name='customer')),
                ('details', models.JSONField(default=dict, help_text='Ids, states and names; nothing personal.')),
                ('digest', models.BinaryField()),
            ],
            options={
                'verbose_name': 'audit entry',
                'verbose_name_plural': 'audit entries',
                'indexes': [models.Index(fields=['subject_id', 'id'], name='core_audit_subject'), models.Index(fields=['user_id', 'id'], name='core_audit_customer'), models.Index(condition=models.Q(('request_id', ''), _negated=True), fields=['request_id'], name='core_audit_request')],
            },
        ),
        migrations.CreateModel(
            name='AuditLink',
            fields=[
                ('seq', models.BigIntegerField(primary_key=True, serialize=False)),
                ('entry_id', models.BigIntegerField(unique=True)),
                ('hash', models.BinaryField()),
                ('linked_at', models.DateTimeField(db_default=core.clock.Now())),
            ],
        ),
        migrations.CreateModel(
            name='AuditPending',
            fields=[
                ('entry_id', models.BigIntegerField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.RunSQL(TEXT, "DROP FUNCTION clera_audit_text(core_auditentry)"),
        migrations.RunSQL(DIGEST, "DROP FUNCTION clera_audit_queue, clera_audit_digest CASCADE"),
        migrations.RunSQL(APPEND_ONLY, "DROP FUNCTION clera_append_only CASCADE"),
        migrations.RunSQL(ROWS, "DROP FUNCTION clera_audit_row"),
        migrations.RunSQL(EXTEND, "DROP FUNCTION clera_audit_extend"),
        GrantTable(
            "core_auditentry", app=f"SELECT, INSERT ({SAID})", agents=f"INSERT ({SAID})"
        ),
        GrantTable("core_auditlink", app="SELECT"),
        GrantTable("core_auditpending", app="SELECT"),
        migrations.RunSQL(VISIBILITY, migrations.RunSQL.noop),
    ]
