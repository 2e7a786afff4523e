# What programs tell about the hardware. It differs from machine to machine, so these cases print whether it is true.
as_nobody() { setpriv --reuid=65534 --clear-groups "$@"; }
#: iomem
grep -vcE '^ *[0-9a-f]{8,}-[0-9a-f]{8,} : .' /proc/iomem; stat -c '%a %s' /proc/iomem; python3 - <<'E'
ram, stack, kernel = 0, [], 0
for line in open("/proc/iomem"):
    where, name = line.rstrip("\n").split(" : ")
    depth = (len(where) - len(where.lstrip())) // 2
    first, last = (int(x, 16) for x in where.split("-")); assert first <= last, line
    assert depth <= len(stack), line
    del stack[depth:]
    if stack: assert stack[-1][0] <= first and last <= stack[-1][1], line
    stack.append((first, last)); ram += last - first + 1 if name == "System RAM" else 0
    kernel += name in ("Kernel code", "Kernel rodata", "Kernel data") and depth == 1
total = next(int(l.split()[1]) * 1024 for l in open("/proc/meminfo") if l.startswith("MemTotal"))
print(total < ram < total * 1.3 + (64 << 20), kernel)
E
as_nobody awk '{print $1}' /proc/iomem | sort -u; a=$(wc -l </proc/iomem); b=$(as_nobody cat /proc/iomem | wc -l); [ $a = $b ] && echo same
#: ioports
grep -vcE '^ *[0-9a-f]{4}-[0-9a-f]{4} : .' /proc/ioports; stat -c '%a %s' /proc/ioports; grep -cE '^ *0070-007[0-9a-f] : rtc' /proc/ioports; grep -cE '^ *0020-0021 : pic1$' /proc/ioports; grep -cE '^ *0cf8-0cff : PCI conf1$' /proc/ioports; as_nobody awk '{print $1}' /proc/ioports | sort -u; echo x >/proc/ioports; echo $?
#: bus-pci
stat -c '%a %F' /proc/bus/pci /proc/bus/pci/00 /proc/bus/pci/devices; n=$(wc -l </proc/bus/pci/devices); s=$(ls /sys/bus/pci/devices | wc -l); [ $n = $s ] && echo same; awk -F'\t' 'NF != 18' /proc/bus/pci/devices; lspci -A linux-proc -n | cut -d' ' -f1,3 >p; lspci -A linux-sysfs -n | cut -d' ' -f1,3 >s; cmp p s; lspci -A linux-proc -xxx 2>/dev/null | grep -c '^f0:' | awk -v n=$n '{print ($1 == n)}'; cd /proc/bus/pci/00; for f in *; do stat -c %a $f; [ $(stat -c %s $f) -ge 256 ] && echo size; head -c 64 $f | wc -c; as_nobody cat $f | wc -c; done | sort -n | uniq -c | awk '{print $2, ($1 % '$(ls | wc -l)' == 0)}'; cmp -n 64 00.0 /sys/bus/pci/devices/0000:00:00.0/config
