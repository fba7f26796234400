#!/bin/sh
set -eu
day=$1
echo "$day is done"
