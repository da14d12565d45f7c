// client: containerd's own Go client, which does at berthd what programs do that
// have it. `client SOCKET DIR WHAT [ARGUMENT]`: DIR has `config.json`, a specification
// whose process, cgroup and root file system are replaced, and the root file system
// `rootfs`; the name of each cgroup begins with $CLIENT_CGROUP. What is not as it should be ends it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/containerd"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/errdefs"
	"github.com/containerd/containerd/namespaces"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const runtimeName = "io.containerd.runc.v2"

var dir string

func fail(format string, a ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", a...)
	os.Exit(1)
}

// must: no error.
func must(err error, what string, a ...interface{}) {
	if err != nil {
		fail("%s: %v", fmt.Sprintf(what, a...), err)
	}
}

// expect: they are the same.
func expect(got, want interface{}, what string, a ...interface{}) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fail("%s: %v instead of %v", fmt.Sprintf(what, a...), got, want)
	}
}

// refused: an error of this class.
func refused(err error, is func(error) bool, what string) {
	if err == nil || !is(err) {
		fail("%s: %v", what, err)
	}
}

// code: the error is of this code, as the client or gRPC itself tells it.
func code(err error, want codes.Code, what string) {
	if got := status.Code(errdefs.ToGRPC(err)); got != want {
		fail("%s: %v (%v) instead of %v", what, got, err, want)
	}
}

func connect(socket string) *containerd.Client {
	c, err := containerd.New(socket, containerd.WithDefaultNamespace("default"), containerd.WithTimeout(10*time.Second))
	must(err, "connect")
	return c
}

// patient: a client without a limit of its own on what it sends.
func patient(socket string) *containerd.Client {
	c, err := containerd.New(socket, containerd.WithCallOpts([]grpc.CallOption{grpc.MaxCallSendMsgSize(64 << 20)}))
	must(err, "connect")
	return c
}

func background() context.Context {
	return namespaces.WithNamespace(context.Background(), "default")
}

func within(d time.Duration) context.Context {
	ctx, _ := context.WithTimeout(background(), d)
	return ctx
}

// spec: of a container that runs the words in a shell.
func spec(id string, script string) *specs.Spec {
	var s specs.Spec

	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	must(err, "config.json")
	must(json.Unmarshal(text, &s), "config.json")
	s.Root = &specs.Root{Path: filepath.Join(dir, "rootfs")}
	s.Process.Args = []string{"/bin/sh", "-c", script}
	s.Process.Env = []string{"PATH=/bin"}
	s.Process.Terminal = false
	s.Process.Rlimits = nil
	s.Linux.CgroupsPath = os.Getenv("CLIENT_CGROUP") + "-" + id
	return &s
}

func create(c *containerd.Client, id, script string, more ...containerd.NewContainerOpts) containerd.Container {
	options := append([]containerd.NewContainerOpts{containerd.WithSpec(spec(id, script)),
		containerd.WithRuntime(runtimeName, nil)}, more...)
	container, err := c.NewContainer(background(), id, options...)
	must(err, "create container %s", id)
	return container
}

func isStatus(p containerd.Process, want containerd.ProcessStatus) {
	s, err := p.Status(background())
	must(err, "status of %s", p.ID())
	expect(s.Status, want, "status of %s", p.ID())
}

// ended: what Wait tells, soon.
func ended(exit <-chan containerd.ExitStatus, want uint32, what string) {
	select {
	case s := <-exit:
		must(s.Error(), "wait for %s", what)
		expect(s.ExitCode(), want, "exit status of %s", what)
		if d := time.Since(s.ExitTime()); d < -time.Second || d > time.Minute {
			fail("%s exited at %v", what, s.ExitTime())
		}
	case <-time.After(20 * time.Second):
		fail("%s does not end", what)
	}
}

// exec: runs a script in the task, with its output.
func exec(task containerd.Task, id, script string, want uint32) string {
	var out bytes.Buffer

	s, err := task.Spec(background())
	must(err, "spec")
	process := *s.Process
	process.Args = []string{"/bin/sh", "-c", script}
	p, err := task.Exec(background(), id, &process, cio.NewCreator(cio.WithStreams(nil, &out, io.Discard)))
	must(err, "exec %s", id)
	exit, err := p.Wait(background())
	must(err, "wait for %s", id)
	must(p.Start(background()), "start %s", id)
	ended(exit, want, id)
	p.IO().Wait()
	s2, err := p.Delete(background())
	must(err, "delete %s", id)
	expect(s2.ExitCode(), want, "exit status of %s as it is deleted", id)
	return strings.TrimSpace(out.String())
}

// remove: a task that may run, and its container.
func remove(container containerd.Container) {
	task, err := container.Task(background(), nil)
	if err == nil {
		_, err = task.Delete(background(), containerd.WithProcessKill)
		must(err, "delete task %s", container.ID())
	}
	must(container.Delete(background()), "delete container %s", container.ID())
}

func life(c *containerd.Client) {
	told := listen(c, `topic~="^/tasks/",event.container_id==life`)
	serving, err := c.IsServing(within(5 * time.Second))
	must(err, "health")
	expect(serving, true, "it serves")
	container := create(c, "life", `trap "exit 5" TERM; while :; do sleep 0.05; done`,
		containerd.WithContainerLabels(map[string]string{"kind": "life", "empty": ""}))
	lifeRefusals(c, container)

	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task")
	isStatus(task, containerd.Created)
	if task.Pid() == 0 || syscall.Kill(int(task.Pid()), 0) != nil {
		fail("the task has the pid %d", task.Pid())
	}
	_, err = container.NewTask(background(), cio.NullIO)
	refused(err, errdefs.IsAlreadyExists, "a second task")
	exit, err := task.Wait(background())
	must(err, "wait")
	must(task.Start(background()), "start")
	isStatus(task, containerd.Running)

	expect(exec(task, "first", "echo said; exit 7", 7), "said", "output of an exec")
	lifePaused(task)
	lifeLimits(task)

	must(task.Kill(background(), syscall.SIGTERM), "kill")
	ended(exit, 5, "the task")
	isStatus(task, containerd.Stopped)
	refused(task.Kill(background(), syscall.SIGTERM), errdefs.IsNotFound, "kill of what has ended")
	again, err := task.Wait(background())
	must(err, "wait for what has ended")
	ended(again, 5, "the task that has ended")
	s, err := task.Delete(background())
	must(err, "delete")
	expect(s.ExitCode(), 5, "exit status as it is deleted")
	_, err = container.Task(background(), nil)
	refused(err, errdefs.IsNotFound, "the task that is deleted")
	must(container.Delete(background()), "delete the container")
	refused(container.Delete(background()), errdefs.IsNotFound, "delete of what is deleted")
	told.are("create", "start", "exec-added first", "exec-started first", "exit first 7", "paused", "resumed",
		"exec-added second", "exec-started second", "exit second 0", "exit life 5", "delete life 5")
}

func lifePaused(task containerd.Task) {
	must(task.Pause(background()), "pause")
	isStatus(task, containerd.Paused)
	s, err := task.Spec(background())
	must(err, "spec")
	if _, err = task.Exec(background(), "paused", s.Process, cio.NullIO); err == nil {
		fail("an exec of a paused task")
	}
	must(task.Resume(background()), "resume")
	isStatus(task, containerd.Running)
	exec(task, "second", "true", 0)
}

func lifeLimits(task containerd.Task) {
	limit, max := int64(64<<20), int64(33)

	must(task.Update(background(), containerd.WithResources(&specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &limit}, Pids: &specs.LinuxPids{Limit: max}})), "update")
	metric, err := task.Metrics(background())
	must(err, "metrics")
	expect(metric.ID, "life", "whose metrics they are")
	expect(limits(metric.Data), "67108864 33", "limits in the metrics")
}

func lifeRefusals(c *containerd.Client, container containerd.Container) {
	_, err := c.NewContainer(background(), "life", containerd.WithSpec(spec("life", "true")))
	refused(err, errdefs.IsAlreadyExists, "a second container")
	for _, id := range []string{"no/pe", "", "-x", "x-", "a..b", strings.Repeat("x", 77)} {
		_, err = c.NewContainer(background(), id, containerd.WithSpec(spec("life", "true")))
		refused(err, errdefs.IsInvalidArgument, "the id '"+id+"'")
	}
	_, err = c.LoadContainer(background(), "missing")
	refused(err, errdefs.IsNotFound, "a container that is not there")
	_, err = c.LoadContainer(namespaces.WithNamespace(context.Background(), "other"), "life")
	refused(err, errdefs.IsNotFound, "a container of another namespace")
	_, err = c.ContainerService().List(namespaces.WithNamespace(context.Background(), "no/pe"))
	refused(err, errdefs.IsInvalidArgument, "a bad namespace")

	found, err := c.Containers(background(), `labels.kind==life`)
	must(err, "containers with a label")
	expect(len(found), 1, "containers with a label")
	labels, err := container.SetLabels(background(), map[string]string{"kind": "new"})
	must(err, "set a label")
	expect(labels["kind"], "new", "the label")
	found, err = c.Containers(background(), `labels.kind==life`)
	must(err, "containers with a label")
	expect(len(found), 0, "containers with the old label")
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: client SOCKET DIR WHAT [ARGUMENT]")
	}
	argument := append(os.Args[4:], "")[0]
	dir = os.Args[2]
	c := connect(os.Args[1])
	what := map[string]func(){
		"life":        func() { life(c) },
		"calls":       func() { calls(c) },
		"loops":       func() { loops(c, 8, number(argument)) },
		"subscribers": func() { subscribers(os.Args[1], number(argument)) },
		"waits":       func() { waits(c, number(argument)) },
		"slow":        func() { slow(c) },
		"labels":      func() { labels(c, patient(os.Args[1])) },
		"reconnect":   func() { reconnect(c, argument) },
	}[os.Args[3]]
	if what == nil {
		fail("'%s' is nothing to do", os.Args[3])
	}
	what()
}
