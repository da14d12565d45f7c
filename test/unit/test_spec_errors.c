/* Every way in which a config.json can be wrong: pointer, line and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "mem.h"
#include "spec.h"
#include "str.h"

/* Where a fragment goes: always on line 2. */
#define TOP       "{\"ociVersion\":\"1.2.0\",\n%s}"
#define PROCESS   "{\"ociVersion\":\"1.2.0\",\n\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",%s}}"
#define MOUNT     "{\"ociVersion\":\"1.2.0\",\n\"mounts\":[{\"destination\":\"/a\",%s}]}"
#define LINUX     "{\"ociVersion\":\"1.2.0\",\n\"linux\":{%s}}"
#define RESOURCES "{\"ociVersion\":\"1.2.0\",\n\"linux\":{\"resources\":{%s}}}"
#define SECCOMP   "{\"ociVersion\":\"1.2.0\",\n\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",%s}}}"
#define SYSCALL                                                                          \
	"{\"ociVersion\":\"1.2.0\",\n\"linux\":{\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"," \
	"\"syscalls\":[{%s}]}}}"
#define WHOLE "%s"

struct bad {
	const char *where, *fragment;
	const char *words; /* after "config.json: line 2: " */
};

static const struct bad top[] = {
	{ TOP, "\"root\":{}", "/root/path: is missing" },
	{ TOP, "\"root\":{\"path\":\"\"}", "/root/path: must not be empty" },
	{ TOP, "\"root\":{\"path\":1}", "/root/path: must be a string, not a whole number" },
	{ TOP, "\"root\":{\"path\":\"r\",\"readonly\":\"yes\"}",
	  "/root/readonly: must be true or false, not a string" },
	{ TOP, "\"root\":[]", "/root: must be an object, not a list" },
	{ TOP, "\"hostname\":\"h\"", "/hostname: unable to set hostname without a private UTS namespace" },
	{ TOP, "\"domainname\":\"h\"", "/domainname: unable to set domainname without a private UTS namespace" },
	{ TOP,
	  "\"domainname\":\"h\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}],"
	  "\"sysctl\":{\"kernel.domainname\":\"a\"}}",
	  "/linux/sysctl/kernel.domainname: the domain name is set by /domainname" },
	{ TOP, "\"hostname\":[]", "/hostname: must be a string, not a list" },
	{ TOP, "\"annotations\":{\"a\":1}", "/annotations/a: must be a string, not a whole number" },
	{ TOP, "\"annotations\":{\"io.berth.init\":\"True\"}",
	  "/annotations/io.berth.init: neither true nor false: 'True'" },
	{ TOP, "\"annotations\":{\"\":\"x\"}", "/annotations/: a key must not be empty" },
	{ TOP, "\"annotations\":[\"a\"]", "/annotations: must be an object, not a list" },
	{ TOP, "\"process\":[]", "/process: must be an object, not a list" },
	{ TOP, "\"process\":{\"args\":[\"a\"]}", "/process/cwd: is missing" },
	{ TOP, "\"process\":{\"args\":[\"a\"],\"cwd\":\"\"}", "/process/cwd: must not be empty" },
	{ TOP, "\"process\":{\"args\":[\"a\"],\"cwd\":\"a/b\"}", "/process/cwd: 'a/b' must be an absolute path" },
	{ TOP, "\"process\":{\"cwd\":\"/\"}", "/process/args: args must not be empty" },
	{ TOP, "\"process\":{\"cwd\":\"/\",\"args\":[]}", "/process/args: args must not be empty" },
	{ TOP, "\"process\":{\"cwd\":\"/\",\"args\":null}", "/process/args: args must not be empty" },
	{ TOP, "\"process\":{\"cwd\":\"/\",\"args\":[1]}", "/process/args/0: must be a string, not a whole number" },
	{ TOP, "\"mounts\":{}", "/mounts: must be a list, not an object" },
	{ TOP, "\"mounts\":[null]", "/mounts/0: must be an object, not null" },
	{ TOP, "\"mounts\":[{}]", "/mounts/0/destination: is missing" },
	{ TOP, "\"mounts\":[{\"destination\":\"\"}]", "/mounts/0/destination: must not be empty" },
	{ TOP, "\"hooks\":[]", "/hooks: must be an object, not a list" },
	{ TOP, "\"hooks\":{\"prestart\":{}}", "/hooks/prestart: must be a list, not an object" },
	{ TOP, "\"hooks\":{\"prestart\":[{}]}", "/hooks/prestart/0/path: is missing" },
	{ TOP, "\"hooks\":{\"poststop\":[{\"path\":\"a\"}]}", "/hooks/poststop/0/path: 'a' must be an absolute path" },
	{ TOP, "\"hooks\":{\"poststop\":[{\"path\":\"\"}]}", "/hooks/poststop/0/path: must not be empty" },
	{ TOP, "\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"},{\"path\":\"/a\",\"timeout\":0}]}",
	  "/hooks/createRuntime/1/timeout: must be greater than 0" },
	{ TOP, "\"hooks\":{\"startContainer\":[{\"path\":\"/a\",\"timeout\":-5}]}",
	  "/hooks/startContainer/0/timeout: must be greater than 0" },
	{ TOP, "\"hooks\":{\"poststart\":[{\"path\":\"/a\",\"env\":[1]}]}",
	  "/hooks/poststart/0/env/0: must be a string, not a whole number" },
	{ TOP, "\"linux\":1", "/linux: must be an object, not a whole number" },
};

static const struct bad process[] = {
	{ PROCESS, "\"terminal\":1", "/process/terminal: must be true or false, not a whole number" },
	{ PROCESS, "\"consoleSize\":{\"height\":1}", "/process/consoleSize/width: is missing" },
	{ PROCESS, "\"consoleSize\":{\"height\":1,\"width\":65536}",
	  "/process/consoleSize/width: must be at most 65535" },
	{ PROCESS, "\"user\":{\"uid\":-1}", "/process/user/uid: must not be negative" },
	{ PROCESS, "\"user\":{\"uid\":4294967295}", "/process/user/uid: must be at most 4294967294" },
	{ PROCESS, "\"user\":{\"gid\":4294967296}", "/process/user/gid: must be at most 4294967295" },
	{ PROCESS, "\"user\":{\"gid\":\"0\"}", "/process/user/gid: must be a whole number, not a string" },
	{ PROCESS, "\"user\":{\"umask\":512}", "/process/user/umask: must be at most 511 (0777)" },
	{ PROCESS, "\"user\":{\"additionalGids\":[1,4294967295]}",
	  "/process/user/additionalGids/1: must be at most 4294967294" },
	{ PROCESS, "\"user\":{\"additionalGids\":[-1]}", "/process/user/additionalGids/0: must not be negative" },
	{ PROCESS, "\"env\":[\"A=1\",\"B\"]", "/process/env/1: invalid environment variable 'B': no '='" },
	{ PROCESS, "\"env\":[\"=1\"]", "/process/env/0: invalid environment variable '=1': no name" },
	{ PROCESS, "\"env\":[\"\"]", "/process/env/0: invalid environment variable '': no '='" },
	{ PROCESS, "\"env\":[1]", "/process/env/0: must be a string, not a whole number" },
	{ PROCESS, "\"capabilities\":[]", "/process/capabilities: must be an object, not a list" },
	{ PROCESS, "\"capabilities\":{\"bounding\":[1]}",
	  "/process/capabilities/bounding/0: must be a string, not a whole number" },
	{ PROCESS, "\"capabilities\":{\"permitted\":\"ALL\"}",
	  "/process/capabilities/permitted: must be a list, not a string" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_FOO\",\"soft\":1,\"hard\":1}]",
	  "/process/rlimits/0/type: unknown rlimit 'RLIMIT_FOO'" },
	{ PROCESS, "\"rlimits\":[{\"soft\":1,\"hard\":1}]", "/process/rlimits/0/type: is missing" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"hard\":1}]", "/process/rlimits/0/soft: is missing" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]",
	  "/process/rlimits/0/soft: must not be larger than hard" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":-1,\"hard\":1}]",
	  "/process/rlimits/0/soft: must not be negative" },
	{ PROCESS,
	  "\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},"
	  "{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1}]",
	  "/process/rlimits/2/type: duplicate rlimit 'RLIMIT_AS'" },
	{ PROCESS, "\"oomScoreAdj\":1001", "/process/oomScoreAdj: must be between -1000 and 1000" },
	{ PROCESS, "\"oomScoreAdj\":-1001", "/process/oomScoreAdj: must be between -1000 and 1000" },
	{ PROCESS, "\"oomScoreAdj\":0.5",
	  "/process/oomScoreAdj: must be a whole number, not a number with a fraction" },
	{ PROCESS, "\"scheduler\":{}", "/process/scheduler/policy: is missing" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"FIFO\",\"nice\":99}",
	  "/process/scheduler/policy: unknown scheduler policy 'FIFO'" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}",
	  "/process/scheduler/nice: must be between -20 and 19" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"nice\":1}",
	  "/process/scheduler/nice: only for SCHED_OTHER and SCHED_BATCH" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}",
	  "/process/scheduler/priority: only for SCHED_FIFO and SCHED_RR" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":100}",
	  "/process/scheduler/priority: must be between 1 and 99" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_RR\"}", "/process/scheduler/priority: must be between 1 and 99" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"runtime\":1}",
	  "/process/scheduler: runtime, deadline and period are only for SCHED_DEADLINE" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":2,\"deadline\":1}",
	  "/process/scheduler: SCHED_DEADLINE needs 0 < runtime <= deadline <= period" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}",
	  "/process/scheduler/flags/0: unknown scheduler flag 'X'" },
	{ PROCESS, "\"ioPriority\":{}", "/process/ioPriority/class: is missing" },
	{ PROCESS, "\"ioPriority\":{\"class\":\"RT\"}", "/process/ioPriority/class: unknown I/O priority class 'RT'" },
	{ PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\"}", "/process/ioPriority/priority: is missing" },
	{ PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}",
	  "/process/ioPriority/priority: must be between 0 and 7" },
	{ PROCESS, "\"execCPUAffinity\":{\"initial\":\"a\"}",
	  "/process/execCPUAffinity/initial: 'a' is not a list of CPUs" },
	{ PROCESS, "\"execCPUAffinity\":{\"final\":\"3-1\"}",
	  "/process/execCPUAffinity/final: '3-1' is not a list of CPUs" },
	{ PROCESS, "\"execCPUAffinity\":{\"final\":\"1,\"}",
	  "/process/execCPUAffinity/final: '1,' is not a list of CPUs" },
};

#define MAP(c, h, s) "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"
static const struct bad mounts[] = {
	{ MOUNT, "\"options\":\"ro\"", "/mounts/0/options: must be a list, not a string" },
	{ MOUNT, "\"options\":[1]", "/mounts/0/options/0: must be a string, not a whole number" },
	{ MOUNT, "\"options\":[\"shared\",\"slave\",\"private\",\"rshared\",\"rslave\"]",
	  "/mounts/0/options/4: more than 4 propagation options" },
	{ MOUNT, "\"options\":[\"bind\"]", "/mounts/0/source: is missing: a bind mount needs it" },
	{ MOUNT, "\"type\":\"bind\",\"source\":\"\"", "/mounts/0/source: is missing: a bind mount needs it" },
	{ MOUNT, "\"type\":\"tmpfs\",\"options\":[\"idmap\"]",
	  "/mounts/0: id-mapped mounts are only supported for bind mounts" },
	{ MOUNT, "\"source\":\"/\",\"options\":[\"bind\",\"idmap\"]",
	  "/mounts/0: an id-mapped mount needs uidMappings or a user namespace" },
	{ MOUNT, "\"source\":\"/\",\"options\":[\"bind\"],\"uidMappings\":[" MAP(0, 1, 1) "]",
	  "/mounts/0/gidMappings: is missing: uidMappings and gidMappings go together" },
	{ MOUNT, "\"source\":\"/\",\"options\":[\"bind\"],\"gidMappings\":[" MAP(0, 1, 0) "]",
	  "/mounts/0/gidMappings/0/size: must not be 0" },
};

#define USERNS "\"namespaces\":[{\"type\":\"user\"}],"
static const struct bad linux_section[] = {
	{ LINUX, "\"namespaces\":[{\"type\":\"foo\"}]", "/linux/namespaces/0/type: unknown namespace 'foo'" },
	{ LINUX, "\"namespaces\":[{\"path\":\"/x\"}]", "/linux/namespaces/0/type: is missing" },
	{ LINUX, "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"pid\"}]",
	  "/linux/namespaces/2/type: duplicate namespace 'pid'" },
	{ LINUX, "\"namespaces\":[{\"type\":\"pid\",\"path\":\"proc/1/ns/pid\"}]",
	  "/linux/namespaces/0/path: 'proc/1/ns/pid' must be an absolute path" },
	{ LINUX, "\"namespaces\":{}", "/linux/namespaces: must be a list, not an object" },
	{ LINUX, "\"uidMappings\":[" MAP(0, 1, 1) "]", "/linux/uidMappings: id mappings need a user namespace" },
	{ LINUX, "\"gidMappings\":[" MAP(0, 1, 1) "]", "/linux/gidMappings: id mappings need a user namespace" },
	{ LINUX, USERNS "\"gidMappings\":[" MAP(0, 1, 1) "]",
	  "/linux/uidMappings: is missing: a new user namespace needs it" },
	{ LINUX, USERNS "\"uidMappings\":[" MAP(0, 1, 1) "]",
	  "/linux/gidMappings: is missing: a new user namespace needs it" },
	{ LINUX, USERNS "\"uidMappings\":[{\"hostID\":1,\"size\":1}]", "/linux/uidMappings/0/containerID: is missing" },
	{ LINUX, USERNS "\"uidMappings\":[{\"containerID\":1,\"size\":1}]", "/linux/uidMappings/0/hostID: is missing" },
	{ LINUX, USERNS "\"uidMappings\":[{\"containerID\":1,\"hostID\":1}]", "/linux/uidMappings/0/size: is missing" },
	{ LINUX, USERNS "\"gidMappings\":[" MAP(0, 1, 1) "],\"uidMappings\":[" MAP(0, 1, 10) "," MAP(9, 100, 1) "]",
	  "/linux/uidMappings/1/containerID: overlaps with entry 0" },
	{ LINUX, USERNS "\"uidMappings\":[" MAP(0, 1, 1) "],\"gidMappings\":[" MAP(0, 5, 10) "," MAP(10, 0, 6) "]",
	  "/linux/gidMappings/1/hostID: overlaps with entry 0" },
	{ LINUX, USERNS "\"gidMappings\":[" MAP(0, 1, 1) "],\"uidMappings\":[" MAP(0, 1, 4294967295) "]",
	  "/linux/uidMappings/0/size: the range ends beyond the last id" },
	{ LINUX, USERNS "\"gidMappings\":[" MAP(0, 1, 1) "],\"uidMappings\":[" MAP(4294967295, 1, 1) "]",
	  "/linux/uidMappings/0/containerID: must be at most 4294967294" },
	{ LINUX, "\"timeOffsets\":{\"boottime\":{\"secs\":1}}",
	  "/linux/timeOffsets: time offsets need a new time namespace" },
	{ LINUX, "\"namespaces\":[{\"type\":\"time\",\"path\":\"/x\"}],\"timeOffsets\":{\"monotonic\":{\"secs\":1}}",
	  "/linux/timeOffsets: time offsets need a new time namespace" },
	{ LINUX, "\"timeOffsets\":{\"realtime\":{\"secs\":1}}",
	  "/linux/timeOffsets/realtime: unknown clock 'realtime'" },
	{ LINUX, "\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}",
	  "/linux/timeOffsets/boottime/nanosecs: must be at most 999999999" },
	{ LINUX, "\"devices\":[{\"path\":\"/dev/a\",\"type\":\"c\"}]", "/linux/devices/0/major: is missing" },
	{ LINUX, "\"devices\":[{\"path\":\"/dev/a\",\"type\":\"c\",\"major\":1}]",
	  "/linux/devices/0/minor: is missing" },
	{ LINUX, "\"devices\":[{\"path\":\"/dev/a\",\"type\":\"x\"}]",
	  "/linux/devices/0/type: unknown device type 'x'" },
	{ LINUX, "\"devices\":[{\"type\":\"p\"}]", "/linux/devices/0/path: is missing" },
	{ LINUX, "\"devices\":[{\"type\":\"p\",\"path\":\"dev/a\"}]",
	  "/linux/devices/0/path: 'dev/a' must be an absolute path" },
	{ LINUX, "\"devices\":[{\"path\":\"/a\"}]", "/linux/devices/0/type: is missing" },
	{ LINUX, "\"devices\":[{\"path\":\"/a\",\"type\":\"b\",\"major\":4096,\"minor\":0}]",
	  "/linux/devices/0/major: must be between 0 and 4095" },
	{ LINUX, "\"devices\":[{\"path\":\"/a\",\"type\":\"b\",\"major\":1,\"minor\":-1}]",
	  "/linux/devices/0/minor: must be between 0 and 1048575" },
	{ LINUX, "\"devices\":[{\"path\":\"/a\",\"type\":\"p\",\"uid\":4294967295}]",
	  "/linux/devices/0/uid: must be at most 4294967294" },
	{ LINUX, "\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}",
	  "/linux/sysctl/net.ipv4.ip_forward: "
	  "sysctl 'net.ipv4.ip_forward' needs the container's own network namespace" },
	{ LINUX, "\"sysctl\":{\"kernel.sem\":\"1\"}",
	  "/linux/sysctl/kernel.sem: sysctl 'kernel.sem' needs the container's own ipc namespace" },
	{ LINUX, "\"sysctl\":{\"vm.swappiness\":\"1\"}",
	  "/linux/sysctl/vm.swappiness: sysctl 'vm.swappiness' is not in a separate kernel namespace" },
	{ LINUX, "\"sysctl\":{\"kernel/panic\":\"1\"}",
	  "/linux/sysctl/kernel~1panic: sysctl 'kernel.panic' is not in a separate kernel namespace" },
	{ LINUX, "\"sysctl\":{\"kernel.msgfoo\":\"1\"}",
	  "/linux/sysctl/kernel.msgfoo: sysctl 'kernel.msgfoo' is not in a separate kernel namespace" },
	{ LINUX, "\"namespaces\":[{\"type\":\"uts\"}],\"sysctl\":{\"kernel.hostname\":\"a\"}",
	  "/linux/sysctl/kernel.hostname: "
	  "sysctl 'kernel.hostname' is not allowed as it conflicts with the field 'hostname'" },
	{ LINUX, "\"sysctl\":{\"kernel.domainname\":\"a\"}",
	  "/linux/sysctl/kernel.domainname: sysctl 'kernel.domainname' needs the container's own uts namespace" },
	{ LINUX, "\"namespaces\":[{\"type\":\"network\"}],\"sysctl\":{\"net/../kernel/panic\":\"1\"}",
	  "/linux/sysctl/net~1..~1kernel~1panic: sysctl 'net/../kernel/panic' is not a name" },
	{ LINUX, "\"namespaces\":[{\"type\":\"network\"}],\"sysctl\":{\"net.\":\"1\"}",
	  "/linux/sysctl/net.: sysctl 'net.' is not a name" },
	{ LINUX, "\"namespaces\":[{\"type\":\"network\"}],\"sysctl\":{\"net.//.a\":\"1\"}",
	  "/linux/sysctl/net.~1~1.a: sysctl 'net.//.a' is not a name" },
	{ LINUX, "\"namespaces\":[{\"type\":\"network\"}],\"sysctl\":{\"net.a\":\"1\",\"net/a\":\"2\"}",
	  "/linux/sysctl/net~1a: sysctl 'net/a' is given twice" },
	{ LINUX, "\"sysctl\":{\"a\":1}", "/linux/sysctl/a: must be a string, not a whole number" },
	{ LINUX, "\"rootfsPropagation\":\"ro\"", "/linux/rootfsPropagation: unknown propagation 'ro'" },
	{ LINUX, "\"rootfsPropagation\":\"x\"", "/linux/rootfsPropagation: unknown propagation 'x'" },
	{ LINUX, "\"maskedPaths\":[\"/a\",\"b\"]", "/linux/maskedPaths/1: 'b' must be an absolute path" },
	{ LINUX, "\"readonlyPaths\":[\"\"]", "/linux/readonlyPaths/0: must not be empty" },
	{ LINUX, "\"personality\":{}", "/linux/personality/domain: is missing" },
	{ LINUX, "\"personality\":{\"domain\":\"BSD\"}", "/linux/personality/domain: unknown personality 'BSD'" },
	{ LINUX, "\"intelRdt\":{\"closID\":\"a/b\"}", "/linux/intelRdt/closID: 'a/b' is not a directory name" },
	{ LINUX, "\"intelRdt\":{\"closID\":\"..\"}", "/linux/intelRdt/closID: '..' is not a directory name" },
	{ LINUX, "\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}",
	  "/linux/intelRdt/memBwSchema: 'L3:0=f' must be one line that begins with 'MB:'" },
	{ LINUX, "\"intelRdt\":{\"memBwSchema\":\"MB:0=50\\nL3:0=f\"}",
	  "/linux/intelRdt/memBwSchema: 'MB:0=50\nL3:0=f' must be one line that begins with 'MB:'" },
};

static const struct bad resources[] = {
	{ RESOURCES, "\"devices\":[{\"allow\":1}]",
	  "/linux/resources/devices/0/allow: must be true or false, not a whole number" },
	{ RESOURCES, "\"devices\":[{\"access\":\"rwx\"}]",
	  "/linux/resources/devices/0/access: 'rwx' must be made of 'r', 'w' and 'm'" },
	{ RESOURCES, "\"devices\":[{\"type\":\"p\"}]", "/linux/resources/devices/0/type: unknown device type 'p'" },
	{ RESOURCES, "\"devices\":[{\"major\":-2}]",
	  "/linux/resources/devices/0/major: must be -1 or a device number" },
	{ RESOURCES, "\"devices\":[{\"minor\":4294967296}]",
	  "/linux/resources/devices/0/minor: must be -1 or a device number" },
	{ RESOURCES, "\"memory\":{\"limit\":-2}",
	  "/linux/resources/memory/limit: must not be negative (-1: unlimited)" },
	{ RESOURCES, "\"memory\":{\"swap\":9223372036854775808}",
	  "/linux/resources/memory/swap: must be between -9223372036854775808 and 9223372036854775807" },
	{ RESOURCES, "\"memory\":{\"swappiness\":101}",
	  "/linux/resources/memory/swappiness: must be between 0 and 100" },
	{ RESOURCES, "\"memory\":{\"swappiness\":-1}", "/linux/resources/memory/swappiness: must not be negative" },
	{ RESOURCES, "\"memory\":{\"disableOOMKiller\":0}",
	  "/linux/resources/memory/disableOOMKiller: must be true or false, not a whole number" },
	{ RESOURCES, "\"cpu\":{\"shares\":-1}", "/linux/resources/cpu/shares: must not be negative" },
	{ RESOURCES, "\"cpu\":{\"period\":\"x\"}",
	  "/linux/resources/cpu/period: must be a whole number, not a string" },
	{ RESOURCES, "\"cpu\":{\"idle\":2}", "/linux/resources/cpu/idle: must be 0 or 1" },
	{ RESOURCES, "\"cpu\":{\"cpus\":\"a-b\"}", "/linux/resources/cpu/cpus: 'a-b' is not a list such as \"0-3,7\"" },
	{ RESOURCES, "\"cpu\":{\"mems\":\"0-\"}", "/linux/resources/cpu/mems: '0-' is not a list such as \"0-3,7\"" },
	{ RESOURCES, "\"pids\":{\"limit\":\"5\"}",
	  "/linux/resources/pids/limit: must be a whole number, not a string" },
	{ RESOURCES, "\"blockIO\":{\"weight\":9}",
	  "/linux/resources/blockIO/weight: must be 0 or between 10 and 1000" },
	{ RESOURCES, "\"blockIO\":{\"leafWeight\":1001}",
	  "/linux/resources/blockIO/leafWeight: must be 0 or between 10 and 1000" },
	{ RESOURCES, "\"blockIO\":{\"weightDevice\":[{\"major\":1}]}",
	  "/linux/resources/blockIO/weightDevice/0/minor: is missing" },
	{ RESOURCES, "\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":1,\"minor\":1}]}",
	  "/linux/resources/blockIO/throttleReadBpsDevice/0/rate: is missing" },
	{ RESOURCES, "\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":-1,\"minor\":1,\"rate\":1}]}",
	  "/linux/resources/blockIO/throttleWriteIOPSDevice/0/major: must be a device number" },
	{ RESOURCES, "\"hugepageLimits\":[{\"pageSize\":\"2M\",\"limit\":1}]",
	  "/linux/resources/hugepageLimits/0/pageSize: '2M' is not a page size such as \"2MB\"" },
	{ RESOURCES, "\"hugepageLimits\":[{\"pageSize\":\"../2MB\",\"limit\":1}]",
	  "/linux/resources/hugepageLimits/0/pageSize: '../2MB' is not a page size such as \"2MB\"" },
	{ RESOURCES, "\"hugepageLimits\":[{\"pageSize\":\"2MB\"}]",
	  "/linux/resources/hugepageLimits/0/limit: is missing" },
	{ RESOURCES, "\"network\":{\"classID\":4294967296}",
	  "/linux/resources/network/classID: must be at most 4294967295" },
	{ RESOURCES, "\"network\":{\"priorities\":[{\"name\":\"e 0\",\"priority\":1}]}",
	  "/linux/resources/network/priorities/0/name: 'e 0' is not the name of a network interface" },
	{ RESOURCES, "\"network\":{\"priorities\":[{\"name\":\"\",\"priority\":1}]}",
	  "/linux/resources/network/priorities/0/name: must not be empty" },
	{ RESOURCES, "\"network\":{\"priorities\":[{\"name\":\"a\"}]}",
	  "/linux/resources/network/priorities/0/priority: is missing" },
	{ RESOURCES, "\"rdma\":{\"mlx\":{}}", "/linux/resources/rdma/mlx: needs hcaHandles or hcaObjects" },
	{ RESOURCES, "\"rdma\":{\"a b\":{\"hcaObjects\":1}}",
	  "/linux/resources/rdma/a b: 'a b' is not the name of a device" },
	{ RESOURCES, "\"rdma\":{\"mlx\":1}", "/linux/resources/rdma/mlx: must be an object, not a whole number" },
	{ RESOURCES, "\"unified\":{\"a/b\":\"1\"}",
	  "/linux/resources/unified/a~1b: unified resource 'a/b' must be a file name (no slashes)" },
	{ RESOURCES, "\"unified\":{\"..\":\"1\"}",
	  "/linux/resources/unified/..: unified resource '..' must be a file name (no slashes)" },
	{ RESOURCES, "\"unified\":{\"memory.max\":1}",
	  "/linux/resources/unified/memory.max: must be a string, not a whole number" },
};

#define NAMED "\"names\":[\"open\"],"
static const struct bad seccomp[] = {
	{ LINUX, "\"seccomp\":{}", "/linux/seccomp/defaultAction: is missing" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"ALLOW\"}",
	  "/linux/seccomp/defaultAction: unknown seccomp action 'ALLOW'" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/x\"}",
	  "/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY cannot be the default action" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"defaultErrnoRet\":1}",
	  "/linux/seccomp/defaultErrnoRet: only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE" },
	{ SECCOMP, "\"defaultErrnoRet\":4096", "/linux/seccomp/defaultErrnoRet: must be at most 4095" },
	{ SECCOMP, "\"architectures\":[\"SCMP_ARCH_Z80\"]",
	  "/linux/seccomp/architectures/0: unknown seccomp architecture 'SCMP_ARCH_Z80'" },
	{ SECCOMP, "\"flags\":[\"SECCOMP_FILTER_FLAG_NEW_LISTENER\"]",
	  "/linux/seccomp/flags/0: unknown seccomp flag 'SECCOMP_FILTER_FLAG_NEW_LISTENER'" },
	{ SECCOMP, "\"listenerMetadata\":\"x\"", "/linux/seccomp/listenerMetadata: needs listenerPath" },
	{ SYSCALL, "\"action\":\"SCMP_ACT_KILL\"", "/linux/seccomp/syscalls/0/names: is missing" },
	{ SYSCALL, "\"names\":[],\"action\":\"SCMP_ACT_KILL\"", "/linux/seccomp/syscalls/0/names: must not be empty" },
	{ SYSCALL, "\"names\":[\"open\"]", "/linux/seccomp/syscalls/0/action: is missing" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_FOO\",\"errnoRet\":1",
	  "/linux/seccomp/syscalls/0/action: unknown seccomp action 'SCMP_ACT_FOO'" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":1",
	  "/linux/seccomp/syscalls/0/errnoRet: only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":65536",
	  "/linux/seccomp/syscalls/0/errnoRet: must be at most 65535" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_NOTIFY\"",
	  "/linux/seccomp/listenerPath: is missing: SCMP_ACT_NOTIFY needs it" },
	{ SYSCALL, "\"names\":[\"read\",\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"",
	  "/linux/seccomp/syscalls/0: SCMP_ACT_NOTIFY cannot be used for 'write'" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]",
	  "/linux/seccomp/syscalls/0/args/0/index: must be between 0 and 5" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"EQ\"}]",
	  "/linux/seccomp/syscalls/0/args/0/op: unknown seccomp operator 'EQ'" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"op\":\"SCMP_CMP_EQ\"}]",
	  "/linux/seccomp/syscalls/0/args/0/value: is missing" },
	{ SYSCALL, NAMED "\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":-1,\"op\":\"SCMP_CMP_EQ\"}]",
	  "/linux/seccomp/syscalls/0/args/0/value: must not be negative" },
};

static const struct bad versions[] = {
	{ WHOLE, "\n{}", "/ociVersion: is missing" },
	{ WHOLE, "{\n\"ociVersion\":1}", "/ociVersion: must be a string, not a whole number" },
	{ WHOLE, "{\n\"ociVersion\":\"\"}", "/ociVersion: '' is not a version such as \"1.2.0\"" },
	{ WHOLE, "{\n\"ociVersion\":\"1.2\"}", "/ociVersion: '1.2' is not a version such as \"1.2.0\"" },
	{ WHOLE, "{\n\"ociVersion\":\"1.02.0\"}", "/ociVersion: '1.02.0' is not a version such as \"1.2.0\"" },
	{ WHOLE, "{\n\"ociVersion\":\"v1.2.0\"}", "/ociVersion: 'v1.2.0' is not a version such as \"1.2.0\"" },
	{ WHOLE, "{\n\"ociVersion\":\"1.2.0-\"}", "/ociVersion: '1.2.0-' is not a version such as \"1.2.0\"" },
	{ WHOLE, "{\n\"ociVersion\":\"1.2.0 \"}", "/ociVersion: '1.2.0 ' is not a version such as \"1.2.0\"" },
	{ WHOLE, "\n[]", "must be an object, not a list" },
};

static const struct bad unsupported[] = {
	{ WHOLE, "{\n\"ociVersion\":\"2.0.0\"}", "/ociVersion: version '2.0.0' is not supported: only 1.x is" },
	{ WHOLE, "{\n\"ociVersion\":\"0.6.0\"}", "/ociVersion: version '0.6.0' is not supported: only 1.x is" },
	{ TOP, "\"windows\":{}", "/windows: is not supported" },
	{ TOP, "\"vm\":{\"kernel\":{}}", "/vm: is not supported" },
	{ TOP, "\"solaris\":{}", "/solaris: is not supported" },
	{ TOP, "\"freebsd\":{}", "/freebsd: is not supported" },
	{ TOP, "\"zos\":{}", "/zos: is not supported" },
	{ LINUX, "\"netDevices\":{\"eth0\":{}}", "/linux/netDevices: is not supported" },
	{ LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}", "/linux/memoryPolicy: is not supported" },
	{ LINUX, "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}",
	  "/linux/personality/flags: is not supported" },
};

static void check(const struct bad *list, size_t n, enum err_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		struct spec *spec = NULL;
		struct err e = { 0 };
		char text[1024], words[512];
		int r;

		/* The format comes from the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof text, list[i].where, list[i].fragment);
#pragma GCC diagnostic pop
		snprintf(words, sizeof words, "config.json: line 2: %s", list[i].words);
		r = spec_parse(&a, text, strlen(text), "config.json", NULL, &spec, &e);
		if (r >= 0)
			fail_msg("accepted: %s", list[i].fragment);
		assert_string_equal(e.msg, words);
		assert_int_equal(e.kind, kind);
		assert_int_equal(e.sys, 0);
		assert_null(spec);
	}
}

#define CHECK(list, kind) check(list, ARRAY_SIZE(list), kind)

static void test_invalid(void **state)
{
	(void)state;
	CHECK(versions, ERR_INVALID);
	CHECK(top, ERR_INVALID);
	CHECK(process, ERR_INVALID);
	CHECK(mounts, ERR_INVALID);
	CHECK(linux_section, ERR_INVALID);
	CHECK(resources, ERR_INVALID);
	CHECK(seccomp, ERR_INVALID);
}

static void test_unsupported(void **state)
{
	(void)state;
	CHECK(unsupported, ERR_UNSUPPORTED);
}

/* Several of them at once, and none reported twice. */
static void collect(void *ctx, const char *pointer, int line, const char *words)
{
	sb_printf(ctx, "%d %s: %s\n", line, pointer, words);
}

static void test_all_at_once(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	static const char text[] =
		"{\n"
		"  \"root\": { \"path\": \"\" },\n"
		"  \"hostname\": \"h\",\n"
		"  \"process\": { \"args\": [], \"env\": [\"A\", 1],\n"
		"    \"capabilities\": { \"bounding\": [1, \"CAP_KILL\", 2] } },\n"
		"  \"mounts\": [ {},\n"
		"    { \"destination\": \"/a\", \"options\": [\"bind\"] } ],\n"
		"  \"linux\": { \"namespaces\": [ { \"type\": \"user\" }, { \"type\": \"x\" } ],\n"
		"    \"seccomp\": { \"syscalls\": [ { \"names\": [], \"action\": \"a\", \"errnoRet\": 5 } ] },\n"
		"    \"maskedPaths\": [\"a\", 1] },\n"
		"  \"vm\": {}\n"
		"}\n";
	const struct spec_problems problems = { collect, &b };
	struct spec *spec;
	struct err e;

	(void)state;
	assert_int_equal(spec_parse(&a, text, sizeof text - 1, "c", &problems, &spec, &e), -EINVAL);
	assert_string_equal(b.s,
			    "2 /root/path: must not be empty\n"
			    "4 /process/env/1: must be a string, not a whole number\n"
			    "4 /process/env/0: invalid environment variable 'A': no '='\n"
			    "5 /process/capabilities/bounding/0: must be a string, not a whole number\n"
			    "5 /process/capabilities/bounding/2: must be a string, not a whole number\n"
			    "4 /process/cwd: is missing\n"
			    "4 /process/args: args must not be empty\n"
			    "6 /mounts/0/destination: is missing\n"
			    "7 /mounts/1/source: is missing: a bind mount needs it\n"
			    "8 /linux/namespaces/1/type: unknown namespace 'x'\n"
			    "9 /linux/seccomp/syscalls/0/names: must not be empty\n"
			    "9 /linux/seccomp/syscalls/0/action: unknown seccomp action 'a'\n"
			    "9 /linux/seccomp/defaultAction: is missing\n"
			    "10 /linux/maskedPaths/1: must be a string, not a whole number\n"
			    "10 /linux/maskedPaths/0: 'a' must be an absolute path\n"
			    "8 /linux/uidMappings: is missing: a new user namespace needs it\n"
			    "8 /linux/gidMappings: is missing: a new user namespace needs it\n"
			    "11 /vm: is not supported\n"
			    "1 /ociVersion: is missing\n"
			    "3 /hostname: unable to set hostname without a private UTS namespace\n");
	assert_string_equal(e.msg, "c: line 2: /root/path: must not be empty");
}

static void test_syntax_is_a_problem(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	const struct spec_problems problems = { collect, &b };
	struct spec *spec;

	(void)state;
	assert_true(spec_parse(&a, "{\n,}", 4, "c", &problems, &spec, NULL) < 0);
	/* It says where itself. */
	assert_string_equal(b.s, "0 : c:2:1: quoted object property name expected\n");
}

static void test_long_names(void **state)
{
	static const char head[] =
		"{\"ociVersion\":\"1.0.0\",\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]},\n\"hostname\":\"";

	(void)state;
	for (size_t n = 64; n <= 65; n++) {
		OWN_ARENA struct arena a = ARENA_INIT;
		OWN_SB struct sb b = SB_INIT;
		struct spec *spec;
		struct err e;
		int r;

		sb_puts(&b, head);
		for (size_t i = 0; i < n; i++)
			sb_putc(&b, 'h');
		sb_puts(&b, "\"}");
		r = spec_parse(&a, b.s, b.len, "c", NULL, &spec, &e);
		if (n == 64) {
			assert_int_equal(r, 0);
		} else {
			assert_true(r < 0);
			assert_string_equal(e.msg, "c: line 2: /hostname: longer than 64 bytes");
		}
	}
}

static void test_many_maps(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	OWN_SB struct sb b = SB_INIT;
	struct spec *spec;
	struct err e;

	(void)state;
	sb_puts(&b, "{\"ociVersion\":\"1.0.0\",\"linux\":{\"namespaces\":[{\"type\":\"user\"}],\n"
		    "\"gidMappings\":[" MAP(0, 1, 1) "],\"uidMappings\":[");
	for (int i = 0; i <= 340; i++)
		sb_printf(&b, "%s{\"containerID\":%d,\"hostID\":%d,\"size\":1}", i ? "," : "", i, i);
	sb_puts(&b, "]}}");
	assert_true(spec_parse(&a, b.s, b.len, "c", NULL, &spec, &e) < 0);
	assert_string_equal(e.msg, "c: line 2: /linux/uidMappings: more than 340 entries");
}

static void test_sections(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT;
	struct spec_process *p = NULL;
	struct spec_resources *res = NULL;
	struct spec_mount *m = NULL;
	struct err e;

	(void)state;
	assert_true(spec_parse_process(&a, "{\"cwd\":\"/\"}", 11, "p", &p, &e) < 0);
	assert_string_equal(e.msg, "p: line 1: /args: args must not be empty");
	assert_true(spec_parse_process(&a, "{", 1, "p", &p, &e) < 0);
	assert_string_equal(e.msg, "p:1:2: unexpected end of data");
	assert_true(spec_parse_resources(&a, "{\"cpu\":1}", 9, "r", &res, &e) < 0);
	assert_string_equal(e.msg, "r: line 1: /cpu: must be an object, not a whole number");
	assert_true(spec_parse_mount(&a, "{\"source\":\"/\"}", 14, "m", &m, &e) < 0);
	assert_string_equal(e.msg, "m: line 1: /destination: is missing");
	assert_true(spec_parse_mount(&a, "{\"destination\":\"/\",\"type\":\"bind\"}", 33, "m", &m, &e) < 0);
	assert_non_null(strstr(e.msg, "/source: is missing"));
	assert_true(spec_parse_mount(&a, "{", 1, "m", &m, NULL) < 0);
	assert_true(spec_parse_resources(&a, "[]", 2, "r", &res, NULL) < 0);
	assert_null(p);
	assert_null(res);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_unsupported),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_syntax_is_a_problem),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_many_maps),
		cmocka_unit_test(test_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
