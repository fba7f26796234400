#!/bin/sh
# airferry-sha256: 0000000000000000000000000000000000000000000000000000000000000000
# airferry-size: 00000000000000000000
{ # sh reads up to the closing brace before it runs anything: a script that was cut short runs nothing
# airferry bundle: Apache Airflow @AIRFLOW@ for @LABEL@.
#   sh FILE doctor     judges this host and changes nothing
#   sh FILE install    installs; sh FILE --help lists everything
# Everything behind the last line of this script is a ZIP archive.
set -u
file=$0
case $file in */*) ;; *) [ -f "./$file" ] && file=./$file ;; esac
need=@PYTHON@

stop() {
    printf 'airferry: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 10
}

damaged() {
    stop "this file is not whole, nothing was changed (bundle-damaged)" "$@" \
        "Copy it again from the medium, then compare: sha256sum -c $(basename "$file").sha256"
}

[ -f "$file" ] || stop "$file is not a file that can be read" "Run it as sh PATH/TO/FILE."
seal() { sed -n "/^# airferry-$1: /{s/^[^:]*: //;p;q;}" "$file" 2>/dev/null; }
declared=$(seal size | sed 's/^0*//')
size=$(wc -c <"$file" | tr -d ' ')
[ "$size" = "$declared" ] || damaged "found:  $size bytes" "needed: $declared bytes"
# The sha256 is over the whole file with its own 64 digits, byte 30 to 93, read as zeros. On a host without
# sha256sum, stage 0 compares it.
sum=$({ head -c 29 "$file" && printf %064d 0 && tail -c +94 "$file"; } | sha256sum 2>/dev/null)
sum=${sum%% *}
[ -z "$sum" ] || [ "$sum" = "$(seal sha256)" ] || damaged "found:  sha256 $sum" "needed: sha256 $(seal sha256)"

# An interpreter named with --python or AIRFERRY_PYTHON comes first.
named=${AIRFERRY_PYTHON:-}
previous=
for word in "$@"; do
    case $word in --python=*) named=${word#--python=} ;; esac
    [ "$previous" = --python ] && named=$word
    previous=$word
done

best='' rank=0 seen=''
consider() {
    case $1 in /*) path=$1 ;; *) path=$(command -v "$1" 2>/dev/null) ;; esac
    [ -n "$path" ] && [ -x "$path" ] && [ ! -d "$path" ] || return 0
    # 4: fits and is complete, 3: fits, 2: another Python that can at least say so, 1: too old
    said=$("$path" -E -s -S -c 'import sys
sys.path = [p for p in sys.path if p]
v = sys.version_info
r = 1
if v >= (3, 8):
    try:
        import json, zipfile, zlib
        r = 2
        if "%d.%d" % v[:2] == "'"$need"'":
            r = 3
            import ctypes, ssl, sqlite3
            r = 4
    except ImportError:
        pass
sys.stdout.write("%d %d.%d.%d" % ((r,) + tuple(v[:3])))' 2>/dev/null </dev/null) || return 0
    case $said in [1-4]" "*.*) ;; *) return 0 ;; esac
    seen="$seen
  $path is Python ${said#* }"
    [ "${said%% *}" -gt "$rank" ] && rank=${said%% *} best=$path
    return 0
}

if [ -n "$named" ]; then
    consider "$named"
    [ "$rank" -gt 0 ] || stop "$named is not a Python interpreter that can be run" "needed: CPython $need"
    [ "$rank" -ge 2 ] || stop "this Python cannot run this bundle (python-missing)" "found:$seen" \
        "needed: CPython $need with its standard library"
else
    for name in "python$need" python3 python; do [ "$rank" -lt 4 ] && consider "$name"; done
    if [ "$rank" -lt 4 ]; then
        for folder in /usr/local/bin /usr/bin /bin /opt/*/bin /usr/local/python*/bin \
            /opt/rh/rh-python*/root/usr/bin "${HOME:-/nonexistent}/.local/bin" \
            "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions/$need"*/bin; do
            [ "$rank" -lt 4 ] && [ -x "$folder/python$need" ] && consider "$folder/python$need"
        done
    fi
    if [ "$rank" -lt 2 ]; then
        for minor in 20 19 18 17 16 15 14 13 12 11 10 9 8; do
            [ "$rank" -lt 2 ] && consider "python3.$minor"
        done
    fi
fi
[ "$rank" -ge 2 ] || stop "no Python on this host can run this bundle (python-missing)" \
    "found:${seen:- none}" "needed: CPython $need with its standard library" \
    "Install python$need from this distribution's own packages or installation medium (Debian:" \
    "python$need, not python3-minimal; RHEL: python$need), or name one: sh $file install --python PATH"
exec "$best" -I -S -X utf8 -X "sealed=$sum" "$file" "$@"
exit 10
}
