#!/bin/sh
# Stands for a script that you have: it gets the day as its first argument and never asks the clock.
set -eu
day=$1
echo "collecting what happened on $day"
