#!/bin/sh
case ${0+'
'} in ?) false ;; *) echo "airferry: transferred as text, not as binary: copy it again (bundle-damaged)"; exit 10 ;; esac #
# airferry-sha256: 0000000000000000000000000000000000000000000000000000000000000000
# airferry-size: 00000000000000000000
# airferry-python: 00000000000000000000
{ # sh reads up to the closing brace before it runs anything: a script that was cut short runs nothing
# airferry bundle: Apache Airflow @AIRFLOW@ for @LABEL@.
#   sh FILE doctor     judges this host and changes nothing
#   sh FILE install    installs; sh FILE --help lists everything
# Everything after the last line of this script is a ZIP archive.
# The two lines below the first fail where the file ends with them, and tell of line ends that were changed.
# Until the digest is known nothing can be written, whatever byte of this script has changed: what could be is
# done in /proc, where no file can be made, and without the names of files that could be overwritten (-C).
set -uC
file=$0
case $file in /*) ;; */*) file=$PWD/$file ;; *) [ -f "./$file" ] && file=$PWD/$file ;; esac

stop() {
    cd /proc || exit 10
    printf 'airferry: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 10
}

damaged() {
    stop "this file is incomplete or damaged, nothing was changed (bundle-damaged)" "$@" \
        "Copy it again from the medium, then compare: sha256sum -c $(basename "$file").sha256"
}

if ! [ -f "$file" ] || ! [ -r "$file" ]; then
    stop "$file is not a file that can be read" "Run it as sh PATH/TO/FILE."
fi
exec 3<"$file"
# Held open: whatever gets that name from now on, what is hashed below is what runs.
held=/proc/self/fd/3
[ -e "$held" ] || held=$file
# Any one of three programs will do; the digest is the first word of what it prints. openssl is several times
# faster where the processor helps (0.1 s instead of 0.5 s for 100 MB).
sha256() {
    if [ -n "$(command -v openssl)" ]; then
        openssl dgst -sha256 -r
    elif [ -n "$(command -v sha256sum)" ]; then
        sha256sum
    elif [ -n "$(command -v perl)" ]; then
        perl -MDigest::SHA -e 'binmode STDIN; print Digest::SHA->new(256)->addfile(*STDIN)->hexdigest' 2>&-
    fi
}
seal() { sed -n "/^# airferry-$1: /{s/^[^:]*: //;p;q;}" "$held"; }
declared=$(seal size | sed 's/^0*//')
size=$(cd /proc && wc -c <"$held" | tr -d ' ')
slice=''
[ "$size" = "$declared" ] || case $file in
*.001) [ "$size" -lt "$declared" ] && slice=first ;;
esac
[ "$size" = "$declared" ] || [ -n "$slice" ] || damaged "found:  $size bytes" "needed: $declared bytes"
# The sha256 is over the whole file with its own 64 digits, byte 165 to 228, read as zeros. On a host without a
# program for it, stage 0 compares it.
sum=''
[ -n "$slice" ] || sum=$(cd /proc && { head -c 164 "$held" && printf %064d 0 && tail -c +229 "$held"; } | sha256)
sum=${sum%% *}
[ -z "$sum" ] || [ "$sum" = "$(seal sha256)" ] || damaged "found:  sha256 $sum" "needed: sha256 $(seal sha256)"
set +C

need=@PYTHON@
# The interpreter that is carried: its version (empty: none is), and the size and sha256 of its archive, which
# begins so many bytes into this file as its line airferry-python says.
carried='@CARRIED@' archive_size=@SIZE@ archive_sha256=@SHA256@

# An interpreter named with --python or AIRFERRY_PYTHON comes first; "carried" and "host" name no path.
named=${AIRFERRY_PYTHON:-}
home=${AIRFLOW_HOME:-} command='' previous=''
for word in "$@"; do
    case $previous in
    --python) named=$word ;;
    --home) home=$word ;;
    *)
        case $word in
        --python=*) named=${word#--python=} ;;
        --home=*) home=${word#--home=} ;;
        --dry-run | --help | -h) command=look ;;
        -*) ;;
        *) command=${command:-$word} ;;
        esac
        ;;
    esac
    previous=$word
done

# Who but root could exchange these files: says it of the first folder, link or file on the way that is not root's
# alone. A folder with the sticky bit keeps what is root's in it. `looked` lists what was looked at.
stranger() (
    looked=''
    for asking in "$@"; do
        at='' left=$asking links=0
        while :; do
            reason=''
            # shellcheck disable=SC2012 # find cannot show a mode
            case $looked in
            *"//${at:-.}//"*) ;;
            *)
                looked=$looked//${at:-.}//
                reason=$(ls -ldn -- "${at:-/}" 2>/dev/null | {
                    read -r mode _ uid gid _ || exit 0
                    case $uid:$gid:$mode in
                    0:*:l* | 0:*:d????????[tT]*) ;;
                    0:*:????????w*) echo "everybody can write to ${at:-/}" ;;
                    0:0:*) ;;
                    0:*:?????w*) echo "the group $gid can write to ${at:-/}" ;;
                    0:*) ;;
                    *) echo "${at:-/} belongs to the account $uid" ;;
                    esac
                })
                ;;
            esac
            if [ -z "$reason" ] && [ -n "$at" ] && [ -L "$at" ]; then
                links=$((links + 1)) target=$(readlink -- "$at")
                case $target in /*) at='' left=$target/$left ;; *) at=${at%/*} left=$target/$left ;; esac
                if [ -z "$target" ] || [ "$links" -gt 40 ]; then reason="$asking is a link that leads nowhere"; fi
            fi
            if [ -n "$reason" ]; then
                echo "$reason"
                return
            fi
            while :; do
                [ -n "$left" ] || break 2
                case $left in */*) name=${left%%/*} left=${left#*/} ;; *) name=$left left='' ;; esac
                case $name in '' | .) ;; ..) at=${at%/*} ;; *) break ;; esac
            done
            at=$at/$name
        done
    done
)

# As root nothing is run that others could exchange: the service account has folders below /opt, too.
untrusted() {
    [ "$(id -u)" -eq 0 ] || return 0
    prefix=$(readlink -f -- "$1")
    prefix=${prefix%/*/*}
    stranger "$1" "$prefix/pyvenv.cfg" "$prefix/lib" "$prefix/lib64" "$prefix"/lib/python3*
}

# The first of several slices (FILE.001) holds this script whole: it checks the others, joins them to FILE and runs
# that. FILE.release, the list of the approval, tells which slice is wrong; without it only their sizes do.
join() {
    base=${file%.001} places=${file%/*} to='' asked='' left=$#
    base=${base##*/}
    while [ "$left" -gt 0 ]; do # words for this script are taken out of the command line
        word=$1 left=$((left - 1))
        shift
        case $asked:$word in
        *:--parts | *:--join-to) asked=$word && continue ;;
        *:--parts=*) asked=--parts word=${word#*=} ;;
        *:--join-to=*) asked=--join-to word=${word#*=} ;;
        esac
        if [ "$asked" = --join-to ]; then
            to=$word asked=''
        elif [ -n "$asked" ] && [ -d "$word" ]; then
            asked=more places="$places
$word"
        elif [ "$asked" = --parts ]; then
            stop "--parts $word: no such folder" "Name the folder, or the mounted medium, where the other parts are."
        else
            asked=''
            set -- "$@" "$word"
        fi
    done
    for place in "${file%/*}" "$PWD"; do
        [ -n "$to" ] || [ ! -w "$place" ] || [ -n "$(others "$place")" ] || to=$place
    done
    whose=$(others "${to:-/}")
    case $to in '' | /*) ;; *) to=$PWD/$to ;; esac
    if [ -n "$whose" ] || ! [ -d "$to" ] || ! [ -w "$to" ]; then
        stop "the parts of $base cannot be joined${to:+ in $to}" "${whose:+found:  $whose}" \
            "Name a folder that can be written, with room for $declared bytes: --join-to DIR"
    fi
    joined=$to/$base joining=$to/$base.joining list=''
    IFS='
'
    set -f
    for place in $places; do
        [ -n "$list" ] || [ ! -f "$place/$base.release" ] || list=$place/$base.release
    done
    count=$(((declared + size - 1) / size))
    [ -z "$list" ] || parts=$(listed | wc -l | tr -d ' ')
    if [ -n "$list" ] && [ "$parts" -gt 0 ]; then count=$parts; else list=''; fi
    if [ "$count" -lt 2 ] || [ "$count" -gt 999 ]; then
        damaged "found:  $size bytes in $file" "needed: $declared bytes in 2 to 999 parts"
    fi
    if [ -e "$joined" ]; then
        [ "$(sed -n '/^# airferry-sha256: /{s/^[^:]*: //;p;q;}' "$joined")" = "$(seal sha256)" ] ||
            stop "$joined is there, and is not what these parts make" "Move it away, or name another folder: --join-to DIR"
        echo "airferry: $joined is there" >&2
    else
        append_all
        echo "airferry: joined $joined" >&2
    fi
    [ "${1:-}" != join ] || exit 0
    exec sh "$joined" "$@"
}

# Why root does not write in a folder.
others() {
    [ "$(id -u)" -ne 0 ] || stranger "$1"
}

# The sha256 and name of each part that the list has.
listed() {
    while IFS=' ' read -r hash name; do
        case $name in "$base".[0-9][0-9][0-9]) echo "$hash $name" ;; esac
    done <"$list"
}

append_all() {
    number=0 bad=''
    if [ -f "$joining" ] && [ ! -L "$joining" ]; then # whole parts that an earlier run has joined are kept
        number=$(($(wc -c <"$joining") / size))
        [ "$number" -lt "$count" ] || number=$((count - 1))
        dd if=/dev/null of="$joining" bs=1 count=0 seek="$((number * size))" 2>/dev/null
    else
        (set -C && : >"$joining") 2>/dev/null || stop "$joining cannot be made" "Move what has that name away."
    fi
    while [ "$number" -lt "$count" ]; do
        number=$((number + 1))
        if find_part; then
            [ -n "$bad" ] && continue
            echo "airferry: part $number of $count: $found" >&2
            cat "$found" >>"$joining" 2>/dev/null || stop "$joining cannot be written whole" \
                "Make room, or name another folder: --join-to DIR. What is joined is kept."
        elif [ -t 0 ] && [ -t 2 ]; then
            printf 'airferry: %s %s\n' "$part" "$seen" >&2
            printf 'Put in the medium that has it, then press Enter (Ctrl-C ends; what is joined is kept): ' >&2
            read -r _ || exit 130
            number=$((number - 1))
        else
            bad="$bad${bad:+
  }$part $seen"
        fi
    done
    [ -z "$bad" ] || stop "parts of $base are missing or wrong (parts-incomplete)" "$bad" \
        "Copy them again beside $file, or name their folders: --parts DIR ..." \
        "One part is made again outside with: airferry split FILE --only NUMBER"
    sum=$({ head -c 164 "$joining" && printf %064d 0 && tail -c +229 "$joining"; } | sha256)
    if [ -n "${sum%% *}" ] && [ "${sum%% *}" != "$(seal sha256)" ]; then
        rm -f "$joining"
        damaged "found:  sha256 ${sum%% *} of the joined parts" "needed: sha256 $(seal sha256)"
    fi
    mv "$joining" "$joined"
}

# The part of that number: the first that is right, in any of the places; else what was seen of it.
find_part() {
    part=$base.$(printf %03d "$number") needed='' seen='is missing' wanted=$size
    [ "$number" -lt "$count" ] || wanted=$((declared - size * (count - 1)))
    [ -z "$list" ] || needed=$(listed | while IFS=' ' read -r hash name; do [ "$name" != "$part" ] || echo "$hash"; done)
    for place in $places; do
        found=$place/$part
        if ! [ -f "$found" ] || ! [ -r "$found" ]; then continue; fi
        length=$(wc -c <"$found" | tr -d ' ')
        if [ "$length" != "$wanted" ]; then
            seen="has $length bytes in $place, needed: $wanted"
            [ -n "$list" ] || [ "$length" -lt "$wanted" ] || seen="$seen, or $base.001 is cut"
        elif [ -n "$needed" ] && sum=$(sha256 <"$found") && [ -n "$sum" ] && [ "${sum%% *}" != "$needed" ]; then
            seen="is another one or was changed in $place: found sha256 ${sum%% *}"
        else
            return 0
        fi
    done
    seen="$seen${needed:+, needed: sha256 $needed}"
    return 1
}

[ -z "$slice" ] || join "$@"

best='' rank=0 seen=''
consider() {
    case $1 in /*) path=$1 ;; *) path=$(command -v "$1" 2>/dev/null) ;; esac
    case $path in '' | /*) ;; *) path=$PWD/$path ;; esac
    [ -n "$path" ] && [ -x "$path" ] && [ ! -d "$path" ] || return 0
    whose=$(untrusted "$path")
    if [ -n "$whose" ]; then
        seen="$seen
  $path is not run as root: $whose"
        return 0
    fi
    # 4: fits and is complete, 3: fits, 2: another Python that can at least say so, 1: too old
    said=$("$path" -E -s -S -c 'import sys
sys.path = [p for p in sys.path if p]
v = sys.version_info
r = 1
lost = ""
if v >= (3, 8):
    try:
        import json, zipfile, zlib
        r = 2
        if "%d.%d" % v[:2] == "'"$need"'":
            r = 3
            import ctypes, ssl, sqlite3
            r = 4
    except ImportError as error:
        lost = r == 1 and ", without a module that is needed: %s" % error or ""
sys.stdout.write("%d %d.%d.%d%s" % ((r,) + tuple(v[:3]) + (lost,)))' 2>/dev/null </dev/null) || return 0
    case $said in [1-4]" "*.*) ;; *) return 0 ;; esac
    seen="$seen
  $path is Python ${said#* }"
    [ "${said%% *}" -gt "$rank" ] && rank=${said%% *} best=$path
    return 0
}

# Unpacks the carried interpreter beside the home for an install, else where temporary files go, into a folder
# of its own that Python removes when it ends. Never into /tmp for an install: it may be small, or noexec.
unpack() {
    case $home in
    '') if [ "$(id -u)" -eq 0 ]; then home=/opt/airflow; else home=${HOME:-}/airflow; fi ;;
    /*) ;;
    [~]/*) home=${HOME:-}/${home#??} ;;
    *) home=$PWD/$home ;;
    esac
    near=$(dirname -- "$home")
    until [ -d "$near" ]; do near=$(dirname -- "$near"); done
    set -- "$near" "$home"
    # beside a home in a folder of the account's, root has no place that stays its own
    [ "$(id -u)" -ne 0 ] || set -- "$@" /opt /var/tmp
    # what only looks leaves the disk of the home alone
    case $command in '' | look | doctor | verify | help) set -- "${TMPDIR:-/var/tmp}" /var/tmp /tmp "$@" ;; esac
    for place in "$@"; do
        if [ "$(id -u)" -eq 0 ] && whose=$(stranger "$place") && [ -n "$whose" ]; then
            note "$place: $whose"
            continue
        fi
        if ! (umask 022 && mkdir "$place/.airferry-python.$$") 2>/dev/null; then
            note "$place cannot be written"
            continue
        fi
        unpacked=$place/.airferry-python.$$
        trap 'rm -rf "$unpacked"; exit 130' INT
        trap 'rm -rf "$unpacked"; exit 143' HUP TERM
        python=$unpacked/python/bin/python$need
        try=$unpacked/try said=$unpacked/said
        if ! (printf '#!/bin/sh\n' >"$try" && chmod 755 "$try" && "$try") 2>/dev/null; then
            note "$place: programs cannot be run there (noexec), or it is full"
        elif ! archive | gzip -dc 2>/dev/null | (umask 022 && cd "$unpacked" && tar -xof -) 2>"$said"; then
            note "$place: $(tail -n 1 "$said")"
        elif ! "$python" -I -S -c '' 2>"$said"; then
            note "$python does not start: $(tail -n 1 "$said")"
        else
            rm -f "$try" "$said"
            best=$python
            return 0
        fi
        rm -rf "$unpacked"
    done
    unpacked=''
    return 1
}

note() {
    why="$why
  $1"
}

archive() { tail -c "+$((start + 1))" "$held" 2>/dev/null | head -c "$archive_size"; }

# The host's own complete Python is used where there is one; the carried one wins over all others.
carry() {
    start=$(seal python | sed 's/^0*//')
    found=$(archive | sha256)
    found=${found%% *}
    if [ -z "$found" ]; then
        note "neither sha256sum nor openssl nor perl is here to check the carried Python with"
        return 1
    fi
    [ "$found" = "$archive_sha256" ] ||
        damaged "found:  sha256 $found of the carried Python" "needed: sha256 $archive_sha256"
    unpack
}

unpacked='' why=''
whole="Install the complete Python (on Debian python3, not only python3-minimal). One that was built
without the headers of zlib (Debian: zlib1g-dev, RHEL: zlib-devel): install them and build it again.
Or name another interpreter with --python."
if [ "$named" = carried ]; then
    [ -n "$carried" ] || stop "this bundle carries no Python (python-missing)" \
        "Leave --python carried out, or have the bundle made with: airferry bundle --with-python"
    carry || stop "the carried Python $carried cannot be used here (python-missing)" "found:$why" \
        "needed: a folder that can be written and that programs can be run from"
elif [ -n "$named" ] && [ "$named" != host ]; then
    consider "$named"
    [ "$rank" -gt 0 ] || stop "$named is not a Python interpreter that can be run" ${seen:+"found:$seen"} \
        "needed: CPython $need"
    [ "$rank" -ge 2 ] || stop "this Python cannot run this bundle (python-missing)" "found:$seen" \
        "needed: CPython $need with its complete standard library" "$whole"
else
    # pyenv's and asdf's scripts take longer than all else here, and lead to the last folders below
    for name in "python$need" python3 python; do
        [ "$rank" -lt 4 ] || break
        found=$(command -v "$name" 2>/dev/null)
        case $found in
        '' | */shims/*) ;;
        *) consider "$found" ;;
        esac
    done
    if [ "$rank" -lt 4 ]; then
        for folder in /usr/local/bin /usr/bin /bin /opt/*/bin /usr/local/python*/bin \
            /opt/rh/rh-python*/root/usr/bin "${HOME:-/nonexistent}/.local/bin" \
            "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}/versions/$need"*/bin \
            "${ASDF_DATA_DIR:-${HOME:-/nonexistent}/.asdf}/installs/python/$need"*/bin; do
            [ "$rank" -lt 4 ] && [ -x "$folder/python$need" ] && consider "$folder/python$need"
        done
    fi
    [ "$rank" -ge 4 ] || [ -z "$carried" ] || [ "$named" = host ] || carry || seen="$seen$why"
    if [ -z "$unpacked" ] && [ "$rank" -lt 2 ]; then
        for minor in 20 19 18 17 16 15 14 13 12 11 10 9 8; do
            [ "$rank" -lt 2 ] && consider "python3.$minor"
        done
    fi
fi
[ -n "$unpacked" ] || [ "$rank" -ge 2 ] || stop "no Python on this host can run this bundle (python-missing)" \
    "found:${seen:- none}" "needed: CPython $need with its standard library" \
    "Install python$need from this distribution's own packages or installation medium (Debian:" \
    "python$need, not python3-minimal; RHEL: python$need), or name one: sh $file install --python PATH" \
    "Or have a bundle made that carries one (outside: airferry bundle --with-python)."
exec "$best" -I -S -X utf8 -X "sealed=$sum" -X "file=$file" ${unpacked:+-X "unpacked=$unpacked"} "$held" "$@"
exit 10
}
