import pytest

from clera.local import postgres, schema, testing
from clera.local.home import Home
from clera.local.postgres import Cluster


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    found = testing.start_servers(where=Home(tmp_path_factory.mktemp("home") / ".local"))
    yield found
    found.stop()


@pytest.fixture
def checkout(tmp_path):
    migration = tmp_path / "trading" / "migrations" / "0001_initial.py"
    migration.parent.mkdir(parents=True)
    migration.write_text("first")
    (tmp_path / "requirements.txt").write_text("django==5.2")
    return tmp_path


@pytest.fixture
def url(servers):
    postgres.ask(
        servers.database_url,
        "CREATE TABLE IF NOT EXISTS django_migrations (id int, applied timestamptz)",
    )
    postgres.ask(servers.database_url, "INSERT INTO django_migrations VALUES (1, now())")
    yield servers.database_url
    postgres.ask(servers.database_url, "DROP TABLE IF EXISTS django_migrations")


@pytest.fixture
def cluster(tmp_path):
    return Cluster(tmp_path)


class TestSchema:
    def test_is_current_once_that_was_noted(self, cluster, url, checkout):
        assert not schema.is_current(cluster, url, checkout)

        schema.note(cluster, url, checkout)

        assert schema.is_current(cluster, url, checkout)

    @pytest.mark.parametrize(
        "changed", ["trading/migrations/0001_initial.py", "trading/migrations/0002.py"]
    )
    def test_is_not_when_a_migration_is_new_or_another(self, cluster, url, checkout, changed):
        schema.note(cluster, url, checkout)
        (checkout / changed).write_text("second")

        assert not schema.is_current(cluster, url, checkout)

    def test_is_not_when_a_library_has_changed(self, cluster, url, checkout):
        schema.note(cluster, url, checkout)
        (checkout / "requirements.txt").write_text("django==5.2.1")

        assert not schema.is_current(cluster, url, checkout)

    def test_is_not_when_somebody_has_migrated_back_by_hand(self, cluster, url, checkout):
        schema.note(cluster, url, checkout)
        postgres.ask(url, "DELETE FROM django_migrations")

        assert not schema.is_current(cluster, url, checkout)

    def test_is_not_when_the_database_is_another(self, cluster, url, checkout):
        schema.note(cluster, url, checkout)
        postgres.ask(url, "DROP TABLE django_migrations")

        assert not schema.is_current(cluster, url, checkout)
