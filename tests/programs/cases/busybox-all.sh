#: help seconds=120
# Each applet explains itself.
/bin/busybox --list | while read -r applet; do echo "== $applet"; /bin/busybox "$applet" --help 2>&1 </dev/null; done
#: shell-session
python3 $FILES/talk.py /bin/busybox ash -i <<'E'
echo one
sleep 30
~0.8
^Z
jobs
kill %1; kill -CONT %1; sleep 0.4
cat
~0.5
typed
~0.3
^D
exit 4
E
