"""The same as `_native` in POSIX shell, for hosts that are reached through one: dash, bash and busybox have all of it.

A script enters the folder of a file step by step, as `_native.enter` does, and then works in it under names without
a slash. What has to be set on a file is set in a folder that only the script's user can enter, because `chmod` and
`chown` would follow a link that somebody puts in its place.
"""

from __future__ import annotations

import base64
import re
import shlex
from typing import TYPE_CHECKING

from clockwork.operations._native import COPIES, LINKS, no_file, not_empty, temporary

if TYPE_CHECKING:
    from clockwork.operations._native import Copy

OURS = "clockwork: "
"""The prefix of a line on stderr that is a message for the user."""

# `say` writes a plus before each further line of a value, so that it cannot be mistaken for another key.
_HEAD = r"""
LC_ALL=C; export LC_ALL
nl='
'
say() {
  k=$1 v=$2
  while :; do
    case $v in
      *"$nl"*) printf '%s%s\n' "$k" "${v%%"$nl"*}"; v=${v#*"$nl"} k=+ ;;
      *) printf '%s%s\n' "$k" "$v"; return ;;
    esac
  done
}
stats() { stat -c '%a %u %g %s %U/%G' "$1" 2>/dev/null || stat -f '%Mp%Lp %u %g %z %Su/%Sg' "$1"; }
trusted() {
  f=$(stats .); l=$(stats "./$1"); m=${f%% *} f=${f#* } l=${l#* }; f=${f%% *} l=${l%% *}
  case $m in *[2367]) ;; *) return 0 ;; esac
  [ "$l" = 0 ] || [ "$l" = "$f" ] || [ "$l" = "$(id -u)" ]
}
go() {
  way=$1 links=0
  case $way in /*) cd -P / && here= ;; *) cd -P . && here=${PWD%/} ;; esac || exit 1
  while [ "$way" ]; do
    c=${way%%/*}
    case $way in */*) way=${way#*/} ;; *) way= ;; esac
    case $c in
      '' | .) continue ;;
      ..) cd -P .. || exit 1; here=${here%/*}; continue ;;
    esac
    if [ -L "./$c" ]; then
      links=$((links + 1))
      [ $links -le @LINKS@ ] || no "$1 leads through symbolic links in a circle"
      trusted "$c" || no "$here/$c is a symbolic link that another user put into a folder which everybody may write \
to: it is not followed"
      t=$(readlink "./$c" && echo .) || exit 1
      t=${t%"$nl".}
      case $t in /*) cd -P / || exit 1; here= ;; esac
      way=$t/$way
      continue
    fi
    if [ ! -d "./$c" ]; then
      [ ! -e "./$c" ] || no "$here/$c is no folder, so nothing can be in it"
      missing "./$c" || return 1
    fi
    [ -x "./$c" ] || no "$here/$c cannot be entered: Permission denied"
    cd -P "./$c" || exit 1
    here=$here/$c
  done
  [ "$PWD" = "${here:-/}" ] || no "$1 was replaced meanwhile"
}
place() {
  p=$1
  case $p in '~') p=$HOME ;; '~/'*) p=$HOME/${p#'~/'} ;; esac
  case $p in */*) dir=${p%/*}; dir=${dir:-/} ;; *) dir=. ;; esac
  name=${p##*/}
}
""".replace("@LINKS@", str(LINKS))

_LOOK = r"""
no() { say problem= "$*"; exit 0; }
missing() { return 1; }
say id= "$(id)"
place @PATH@
say path= "$p"
if ! go "$dir"; then
  say parent= absent; exit 0
fi
say path= "$here/$name"
say around= "$(stats .)"
command -v base64 >/dev/null && say base64= yes
if [ -L "./$name" ]; then
  say type= link
  t=$(readlink "./$name" && echo .); say target= "${t%"$nl".}"
elif [ -f "./$name" ]; then
  say type= file
  if [ -r "./$name" ]; then
    h=$(sha256sum < "./$name" 2>/dev/null || shasum -a 256 < "./$name" 2>/dev/null ||
      openssl dgst -sha256 -r < "./$name" 2>/dev/null)
    say sha256= "${h%% *}"
  fi
elif [ -d "./$name" ]; then say type= directory
elif [ -e "./$name" ]; then say type= other
else say type= absent; exit 0
fi
say stat= "$(stats "./$name")"
"""

_ACT = r"""
set -f
drain() { :; }
no() { printf '%s%s\n' '@OURS@' "$*" >&2; exit 3; }
missing() { no "there is no folder $here/${1#./}"; }
kind() {
  if [ -L "./$1" ]; then echo link; elif [ -f "./$1" ]; then echo file; elif [ -d "./$1" ]; then echo directory
  elif [ -e "./$1" ]; then echo other; else echo absent; fi
}
rename() {
  e=$(mv -fT "$1" "$2" 2>&1) && return
  case $e in *option* | *sage:*)
    # This mv has no -T, and would move its source into an existing folder.
    [ ! -d "$2" ] || [ -L "$2" ] || no "$2 is a folder"
    mv -f "$1" "$2"; return ;;
  esac
  printf '%s\n' "$e" >&2
  return 1
}
""".replace("@OURS@", OURS)

_MAKE = r"""
missing() { mkdir "$1" || [ -d "$1" ] || exit 1; [ -z "@OWNER@" ] || chown -h "@OWNER@" "$1" || exit 1; }
"""

# In the private folder of the script's user, which nobody else can change.
_PRIVATE = r"""
new=@NEW@
before=$(umask)
umask 077
mkdir "./$new" || exit 1
cd -P "./$new" || exit 1
[ "$PWD" = "$here/$new" ] && [ -O . ] || no "$here was replaced meanwhile"
trap 'rm -f "./$new"; rmdir "../$new"; drain' EXIT
trap 'exit 1' HUP INT TERM PIPE
"""

_KEEP = r"""
if [ -f "../$name" ] && [ ! -L "../$name" ]; then
  copies=@FOLDER@
  case $copies in '~/'*) copies=$HOME/${copies#'~/'} ;; esac
  (umask 077 && mkdir -p "$copies" && chmod 700 "$copies" && cp -pP "../$name" "$copies/@NAME@") || {
    rm -f "$copies/@NAME@"
    no "a copy of $name cannot be kept in $copies"
  }
  set +f
  set -- "$copies/@STEM@"*
  set -f
  while [ $# -gt @COPIES@ ]; do rm -f "$1"; shift; done
  say copy= "$copies/@NAME@"
fi
"""

_SWEEP = r"""
set +f
for old in ./.clockwork-????????????????.tmp; do
  [ -e "$old" ] || [ -L "$old" ] || continue
  [ "$(find "$old" -prune -user "$(id -u)" -mmin +60 2>/dev/null)" ] || continue
  if [ -d "$old" ] && [ ! -L "$old" ]; then rm -f "$old/$old"; rmdir "$old"; else rm -f "$old"; fi
done 2>/dev/null
:
"""


def look(path: str) -> str:
    """Prints the status of a path, in lines that `facts.files` parses."""
    return _HEAD + _LOOK.replace("@PATH@", shlex.quote(path))


def read(path: str) -> str:
    """Prints a file's content in base64, or as octal numbers where base64 is missing."""
    return (
        _HEAD
        + _ACT
        + f"place {shlex.quote(path)}\n"
        + 'go "$dir"\n[ -f "./$name" ] && [ ! -L "./$name" ] || exit 1\n'
        + 'if command -v base64 >/dev/null; then echo base64; base64 < "./$name"; '
        + 'else echo octal; od -An -v -to1 < "./$name"; fi\n'
    )


def encode(data: bytes, has_base64: bool) -> str:
    """The content as lines for standard input, to which pyinfra adds a newline where the last one has none."""
    if has_base64:
        return base64.encodebytes(data).decode("ascii")
    plain = re.compile(rb"[A-Za-z0-9 ,.:;/=_+@-]")
    text = [chr(byte) if plain.fullmatch(bytes([byte])) else f"\\{byte:03o}" for byte in data]
    return "".join("".join(text[start : start + 200]) + "\n" for start in range(0, len(text), 200))


def write(
    path: str,
    size: int,
    mode: str | None,
    user: str | None,
    group: str | None,
    kept_group: int | None,
    make: bool,
    copy: Copy | None,
    has_base64: bool,
) -> str:
    """Writes standard input to a file, as `_native.write` does."""
    decode = "base64 -d" if has_base64 else 'while IFS= read -r part; do printf "$part" || exit 1; done'
    owner = _owner(user, group)
    return "".join(
        [
            # The rest of the input is read, because a broken pipe in the writer would hide the reason of the failure.
            "trap drain EXIT\n",
            start(path, user, group, make).replace("drain() { :; }", "drain() { cat > /dev/null; }"),
            f'case $(kind "$name") in file | absent) ;; *) no {shlex.quote(no_file(path))} ;; esac\n',
            _private(),
            # `cat` prints the reason of a failed write, unlike some `base64`. The size shows failures in the pipe.
            f'{{ {decode}; }} 2> /dev/null | cat > "./$new" || exit 1\n',
            f'[ $(($(wc -c < "./$new"))) -eq {size} ] || no "$p cannot be written: not all of it came through"\n',
            f'chown {owner} "./$new" || exit 1\n' if owner else "",
            f'chgrp {kept_group} "./$new" 2>/dev/null\n' if kept_group is not None else "",
            # A change of owner clears the setuid bits, so the mode comes last.
            f'chmod {_digits(mode) or "$(printf %o $((0666 & ~$before)))"} "./$new" || exit 1\n',
            keep(copy),
            'rename "./$new" "../$name" || exit 1\ncd -P .. || exit 1\ntrap - EXIT\nrmdir "./$new"\n',
            _SWEEP,
        ]
    )


def make_directory(path: str, mode: str | None, user: str | None, group: str | None) -> str:
    """Makes a folder, as `_native.make_directory` does."""
    owner = _owner(user, group)
    attributes = f"chown {owner} . || exit 1\n" if owner else ""
    attributes += f"chmod {_digits(mode)} . || exit 1\n" if mode is not None else ""
    return (
        start(path, user, group, True)
        + f'mkdir {"-m 700 " if attributes else ""}"./$name" || exit 1\n'
        + (_into() + "trap 'rmdir \"../$name\"' EXIT\n" + attributes + "trap - EXIT\n" if attributes else "")
    )


def set_attributes(
    path: str, wanted: str, owner: int, mode: str | None, user: str | None, group: str | None
) -> str:
    """Sets mode and owner, as `_native.set_attributes` does."""
    to, replaced = _owner(user, group), 'no "$p was replaced meanwhile, and is left as it is"'
    what = "." if wanted == "directory" else '"./$new"'
    lines = [start(path), f'[ "$(kind "$name")" = {wanted} ] || {replaced}\n']
    # In the private folder the file has a second name, which nobody can swap.
    lines.append(_into() if wanted == "directory" else _private() + 'ln "../$name" "./$new" || exit 1\n')
    lines.append(f'f=$(stats {what}); f=${{f#* }}\n[ "${{f%% *}}" = {owner} ] || {replaced}\n')
    if wanted == "file":
        lines.append(f'[ "$(kind "$new")" = file ] || {replaced}\n')
    if to:
        lines.append(f"chown {to} {what} || exit 1\n")
    if mode is not None:
        lines.append(f"chmod {_digits(mode)} {what} || exit 1\n")
    return "".join(lines)


def remove(path: str, wanted: str, copy: Copy | None) -> str:
    """Removes a file or an empty folder, as `_native.remove` does."""
    check = (
        '[ "$(kind "$name")" != absent ] || exit 0\n'
        f'[ "$(kind "$name")" = {wanted} ] || no "$p was replaced meanwhile, and is not removed"\n'
    )
    if wanted == "file":
        # The copy is made from within a folder, as before a file is overwritten.
        kept = f"(\n{_private()}{keep(copy)}) || exit\n" if copy is not None else ""
        return start(path) + check + kept + 'rm -f "./$name"\n'
    sentence = shlex.quote(not_empty(path))
    return (
        start(path)
        + check
        + f'e=$(rmdir "./$name" 2>&1) && exit\ncase $e in *mpty* | *xists*) no {sentence} ;; esac\n'
        + "printf '%s\\n' \"$e\" >&2\nexit 1\n"
    )


def start(path: str, user: str | None = None, group: str | None = None, make: bool = False) -> str:
    """Defines what a script needs, and enters the folder of a path. `$name` is the name in it, `$p` the path."""
    owner = _owner(user, group)
    made = _MAKE.replace('"@OWNER@"', owner or '""') if make else ""
    return f'{_HEAD}{_ACT}{made}place {shlex.quote(path)}\ngo "$dir"\n'


def _private() -> str:
    return _PRIVATE.replace("@NEW@", temporary())


def _into() -> str:
    replaced = 'no "$p was replaced meanwhile, and is left as it is"'
    return f'cd -P "./$name" || exit 1\n[ "$PWD" = "$here/$name" ] || {replaced}\n'


def keep(copy: Copy | None) -> str:
    """Keeps a copy of `../$name`, from within a private folder."""
    if copy is None:
        return ""
    text = _KEEP.replace("@FOLDER@", shlex.quote(copy.folder or "~/.clockwork/backup"))
    text = text.replace("@NAME@", copy.name).replace("@STEM@", copy.stem)
    return text.replace("@COPIES@", str(COPIES))


def _digits(mode: str | None) -> str:
    # With fewer digits, GNU's chmod leaves a folder's setgid bit as it is.
    return "" if mode is None else mode.zfill(5)


def _owner(user: str | None, group: str | None) -> str:
    if not user and not group:
        return ""
    return shlex.quote(f"{user or ''}:{group}" if group else f"{user}")
