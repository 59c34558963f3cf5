#!/bin/sh
# Makes random passwords, and the URLs that hold them, in the folder secrets/ beside this file; keeps those it has.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
for name in postgres_password redis_password; do
    [ -s "secrets/$name" ] || random > "secrets/$name"
done
printf 'postgresql://mlo:%s@postgres/mlo' "$(cat secrets/postgres_password)" > secrets/database_url
printf 'redis://:%s@redis/0' "$(cat secrets/redis_password)" > secrets/redis_url
# compose hands files over as they are: the users inside the containers have to read them
chmod 0444 secrets/*
