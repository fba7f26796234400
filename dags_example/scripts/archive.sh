#!/bin/sh
set -eu
day=$1
echo "putting the files of $day away"
