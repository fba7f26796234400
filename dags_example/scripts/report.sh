#!/bin/sh
set -eu
day=$1
echo "writing the report of $day"
