#!/bin/sh
# A real window on a screen of its own (Xvfb, software OpenGL): opened on a study, driven by keyboard and mouse, closed.
# window_test.sh PLAIT PLAIT_GUI COMPARE_IMAGES STUDY GOLDEN_FOLDER [FOLDER_FOR_SCREENSHOTS]
# UPDATE_GOLDEN=1 takes the screenshots of this run as the golden images.
set -eu
plait=$1 app=$2 compare=$3 study=$4 golden=$5 shots=${6:-}
dir=$(mktemp -d)
screen_pid='' app_pid=''
trap 'kill $screen_pid $app_pid 2>/dev/null || true; rm -rf "$dir"' EXIT
fail() { echo "window_test: $*" >&2; cat "$dir"/*.log >&2; exit 1; }

# Without a screen: words and exit code 1, no crash.
code=0
env -u DISPLAY -u WAYLAND_DISPLAY "$app" --fresh 2>"$dir/words" || code=$?
[ "$code" -eq 1 ] || fail "without a screen the exit code is $code"
grep -q 'plait-gui: .*screen' "$dir/words" || fail "without a screen it says: $(cat "$dir/words")"

# screen ARGUMENTS...: a screen of our own.
screen() {
  rm -f "$dir/display"
  Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp "$@" 3>"$dir/display" 2>"$dir/xvfb.log" &
  screen_pid=$!
  for _ in $(seq 100); do [ -s "$dir/display" ] && break; sleep 0.1; done
  DISPLAY=:$(cat "$dir/display")
}
LIBGL_ALWAYS_SOFTWARE=1
export DISPLAY LIBGL_ALWAYS_SOFTWARE

# On a screen without OpenGL too.
screen -extension GLX
code=0
"$app" --fresh 2>"$dir/words" || code=$?
[ "$code" -eq 1 ] || fail "without OpenGL the exit code is $code"
grep -q 'plait-gui: no window with OpenGL' "$dir/words" || fail "without OpenGL it says: $(cat "$dir/words")"
kill "$screen_pid"
wait "$screen_pid" || true

screen

"$plait" search "$study" --out "$dir/run" >/dev/null
# look NAME WIDTH HEIGHT ARGUMENTS...: a screenshot that must look as its golden image does.
look() {
  name=$1 width=$2 height=$3
  shift 3
  "$app" "$dir/run" --width "$width" --height "$height" --screenshot "$dir/$name.png" "$@" 2>"$dir/shot.log" || fail "no screenshot"
  [ -z "$shots" ] || cp "$dir/$name.png" "$shots"
  "$compare" "$dir/$name.png" "$golden/$name.png" || fail "$name looks different"
}
look light 1280 800
look dark 1280 800 --do view.dark
look hidpi 2560 1600 --scale 2
look 4k 3840 2160 --scale 1.5 --do view.graph --do panel.roofline --do panel.importance
env -u UPDATE_GOLDEN "$compare" "$dir/dark.png" "$golden/light.png" >/dev/null && fail "dark looks as light does"

"$app" "$dir/run" --fresh --width 1280 --height 800 2>"$dir/app.log" &
app_pid=$!
window=$(timeout 60 xdotool search --sync --onlyvisible --name 'quickstart - plait' | head -1) || fail "no window"
# Without a window manager the focus is ours to give. Keys are held over a frame: "p", or a modifier and a key, "ctrl+s".
xdotool windowfocus "$window" sleep 0.5
press() { xdotool keydown "${1%+*}" sleep 0.2 ; [ "$1" = "${1#*+}" ] || xdotool key "${1#*+}" sleep 0.2; xdotool keyup "${1%+*}" sleep 0.3; }
# A press may fall between two frames: held down for a moment.
xdotool mousemove --window "$window" 300 700 sleep 0.3 mousedown 1 sleep 0.3 mouseup 1 sleep 0.3 mousemove_relative 0 -200
press bracketright
press p
press ctrl+s
for _ in $(seq 50); do [ -s "$dir/run.plait-session.json" ] && break; sleep 0.2; done
grep -q '"pins"' "$dir/run.plait-session.json" || fail "Ctrl+S saved no session"
grep -q '"name": "trial' "$dir/run.plait-session.json" || fail "P pinned nothing"
press ctrl+q
for _ in $(seq 100); do kill -0 "$app_pid" 2>/dev/null || break; sleep 0.1; done
kill -0 "$app_pid" 2>/dev/null && fail "Ctrl+Q did not end it"
wait "$app_pid" || fail "it ended with an error"
app_pid=''
