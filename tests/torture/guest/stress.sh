# One stressor of stress-ng. In front of it stand the lines STRESSOR=, COUNT= (how many at a time), SPAN= (seconds)
# and LEAK= (KiB). Writes lines "key=value", then stress-ng's own lines and the kernel's, which begin with "log: ".

# What of memory is in use, in KiB, when it has come to rest: what ended a moment ago is freed by others.
used() {
    local total=0 free=0 last=-1 key value unit
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        echo 3 >/proc/sys/vm/drop_caches
        while read -r key value unit; do
            case $key in MemTotal:) total=$value ;; MemFree:) free=$value ;; esac
        done </proc/meminfo
        [ $((total - free)) = "$last" ] && break
        last=$((total - free))
        sleep 0.2
    done
    echo "$last"
}

processes() {
    set -- /proc/[0-9]*
    echo $#
}

# Some refuse to run as root. "nobody", who may write here.
become=
if [ "$STRESSOR" = exec ]; then
    become="setpriv --reuid 65534 --regid 65534 --clear-groups"
    chmod 1777 .
fi

run() {
    timeout -k 10 $((SPAN + 60)) $become stress-ng "$@" --verify --metrics-brief --temp-path . >>output 2>&1 ||
        status=$?
}

stress() {
    status=0
    if [ "$STRESSOR" = sched ]; then
        # Not a stressor but an option: the policy under which stressors run.
        for policy in other batch idle fifo rr; do
            run --cpu "$COUNT" --switch "$COUNT" --sched $policy --timeout $((SPAN / 5 + 1))s
        done
    else
        run --"$STRESSOR" "$COUNT" --timeout "${SPAN}s"
    fi
    pkill -9 stress-ng && sleep 1
    sed "s/^stress-ng: //" output
    rm -rf ./*
}

echo "torture: $STRESSOR begins" >/dev/kmsg
stress-ng --version >/dev/null
echo "processes_before=$(processes)"
before=$(used)
while read -r key value unit; do rows[${#rows[*]}]=$value; done </proc/meminfo
stress
after=$(used)
echo "status=$status"
echo "processes_after=$(processes)"
echo "memory_before=$before"
echo "memory_after=$after"
if [ $((after - before)) -gt "$LEAK" ] && [ $status = 0 ]; then
    number=0
    while read -r key value unit; do
        [ $((value - rows[number])) -gt "$LEAK" ] && echo "note: $key more by $((value - rows[number])) KiB"
        number=$((number + 1))
    done </proc/meminfo
    # Caches that grew once do not grow again. A leak does.
    stress >/dev/null
    echo "memory_again=$(used)"
fi
dmesg -x | sed "1,/torture: $STRESSOR begins/d; s/^/log: /"
