#!/bin/sh
# Installs Chromium from the distribution's packages, where there is none and this user
# may. Where it cannot, it says what to do and goes on: the tests that need it fail, and
# say so too.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
  echo 'no Chromium and no apt-get: install Chromium for the tests of the dashboard' >&2
  exit 0
fi
run=''
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo 'no Chromium: sudo apt-get install chromium, for the tests of the dashboard' >&2
    exit 0
  fi
  run='sudo -n'
fi
if ! { $run apt-get update -qq && DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }; then
  echo 'no Chromium: apt-get could not install it, for the tests of the dashboard' >&2
fi
