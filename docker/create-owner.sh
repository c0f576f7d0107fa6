#!/bin/sh
# Runs once, when the database container is new. The owner is no superuser, so that row-level
# security and role switches behave as in production.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --set password="$CLERA_OWNER_PASSWORD" <<'SQL'
CREATE ROLE clera_owner LOGIN CREATEDB CREATEROLE PASSWORD :'password';
CREATE DATABASE clera OWNER clera_owner;
SQL
