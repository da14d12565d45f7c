// many.go: what the client does many times at once, what it does not wait for,
// and what it hears; see client.go.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	v1 "github.com/containerd/cgroups/stats/v1"
	v2 "github.com/containerd/cgroups/v2/stats"
	"github.com/containerd/containerd"
	apievents "github.com/containerd/containerd/api/events"
	api "github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/containers"
	"github.com/containerd/containerd/errdefs"
	"github.com/containerd/containerd/events"
	"github.com/containerd/typeurl"
	"github.com/gogo/protobuf/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc/codes"
)

func number(text string) int {
	n, err := strconv.Atoi(text)
	must(err, "'%s' is no number", text)
	return n
}

// limits: of memory and of pids.
func limits(data *types.Any) string {
	m, err := typeurl.UnmarshalAny(data)
	must(err, "metrics")
	switch m := m.(type) {
	case *v1.Metrics:
		return fmt.Sprint(m.Memory.Usage.Limit, m.Pids.Limit)
	case *v2.Metrics:
		return fmt.Sprint(m.Memory.UsageLimit, m.Pids.Limit)
	}
	return data.TypeUrl
}

// heard: what was told, in words, since listen.
type heard struct {
	sync.Mutex
	words []string
}

func listen(c *containerd.Client, filter string) *heard {
	h := &heard{}
	begun := make(chan bool, 1000)
	ch, errs := c.Subscribe(background(), filter, `topic=="/test/begin"`)
	go func() {
		for e := range ch {
			if e.Topic == "/test/begin" {
				begun <- true
				continue
			}
			h.Lock()
			h.words = append(h.words, words(e))
			h.Unlock()
		}
		fail("the events end: %v", <-errs)
	}()
	begin(c, begun)
	return h
}

// begin: until it is heard. That Subscribe has begun nothing tells.
func begin(c *containerd.Client, begun chan bool) {
	for {
		must(c.EventService().Publish(background(), "/test/begin", &apievents.TaskOOM{ContainerID: "begin"}), "publish")
		select {
		case <-begun:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func words(e *events.Envelope) string {
	m, err := typeurl.UnmarshalAny(e.Event)
	must(err, "event %s", e.Topic)
	what := strings.TrimPrefix(e.Topic, "/tasks/")
	switch m := m.(type) {
	case *apievents.TaskExit:
		return fmt.Sprint(what, " ", m.ID, " ", m.ExitStatus)
	case *apievents.TaskDelete:
		return fmt.Sprint(what, " ", m.ContainerID, " ", m.ExitStatus)
	case *apievents.TaskExecAdded:
		return what + " " + m.ExecID
	case *apievents.TaskExecStarted:
		return what + " " + m.ExecID
	}
	return what
}

// are: all that was told, and soon.
func (h *heard) are(want ...string) {
	var got string
	for i := 0; i < 100; i++ {
		h.Lock()
		n := len(h.words)
		got = strings.Join(h.words, ", ")
		h.Unlock()
		if n >= len(want) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	expect(got, strings.Join(want, ", "), "what was told")
}

// loops: so many at a time, each so often: create, start, exit, delete.
func loops(c *containerd.Client, at, rounds int) {
	var all sync.WaitGroup

	told := listen(c, `topic=="/tasks/exit"`)
	for n := 0; n < at; n++ {
		all.Add(1)
		go func(n int) {
			for i := 0; i < rounds; i++ {
				id := fmt.Sprintf("loop-%d-%d", n, i)
				once(c, id, uint32(n*10+i%10))
			}
			all.Done()
		}(n)
	}
	all.Wait()
	time.Sleep(200 * time.Millisecond)
	told.Lock()
	seen := map[string]int{}
	for _, w := range told.words {
		seen[w]++
	}
	for n := 0; n < at; n++ {
		for i := 0; i < rounds; i++ {
			w := fmt.Sprintf("exit loop-%d-%d %d", n, i, n*10+i%10)
			expect(seen[w], 1, "how often it was told: %s", w)
		}
	}
	expect(len(told.words), at*rounds, "exits that were told")
}

func once(c *containerd.Client, id string, want uint32) {
	container := create(c, id, fmt.Sprintf("exit %d", want))
	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task %s", id)
	exit, err := task.Wait(background())
	must(err, "wait for %s", id)
	must(task.Start(background()), "start %s", id)
	ended(exit, want, id)
	s, err := task.Delete(background())
	must(err, "delete %s", id)
	expect(s.ExitCode(), want, "exit status of %s as it is deleted", id)
	must(container.Delete(background()), "delete container %s", id)
}

// subscribers: n of them on one connection, who all hear the same, in order.
func subscribers(socket string, n int) {
	const count = 50
	var all sync.WaitGroup

	listener, speaker := connect(socket), connect(socket)
	ctx, cancel := context.WithCancel(background())
	ready := make(chan bool, n)
	for i := 0; i < n; i++ {
		all.Add(1)
		ch, errs := listener.Subscribe(ctx, `topic=="/test/first"`, `topic=="/test/count"`)
		go func(i int) {
			first, next := true, 0
			for next < count {
				select {
				case e := <-ch:
					if e.Topic == "/test/count" {
						m, err := typeurl.UnmarshalAny(e.Event)
						must(err, "event")
						expect(m.(*apievents.TaskOOM).ContainerID, next, "event of subscriber %d", i)
						next++
					} else if first {
						first = false
						ready <- true
					}
				case err := <-errs:
					fail("subscriber %d: %v", i, err)
				}
			}
			all.Done()
		}(i)
	}
	for i := 0; i < n; {
		must(speaker.EventService().Publish(background(), "/test/first", &apievents.TaskOOM{ContainerID: "0"}), "publish")
		for wait := true; i < n && wait; {
			select {
			case <-ready:
				i++
			case <-time.After(500 * time.Millisecond):
				wait = false
			}
		}
	}
	for i := 0; i < count; i++ {
		must(speaker.EventService().Publish(background(), "/test/count", &apievents.TaskOOM{ContainerID: fmt.Sprint(i)}), "publish")
	}
	all.Wait()
	cancel()
	_, err := speaker.Containers(background())
	must(err, "a call after that")
	listener.Close()
	speaker.Close()
}

// waits: n calls that are not waited for, by a deadline and by being cancelled.
func waits(c *containerd.Client, n int) {
	var all sync.WaitGroup

	container := create(c, "waits", "sleep 1000")
	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task")
	must(task.Start(background()), "start")
	request := &tasks.WaitRequest{ContainerID: "waits"}
	for _, want := range []codes.Code{codes.DeadlineExceeded, codes.Canceled} {
		for i := 0; i < n; i++ {
			all.Add(1)
			go func() {
				ctx, cancel := context.WithTimeout(background(), 300*time.Millisecond)
				if want == codes.Canceled {
					ctx, cancel = context.WithCancel(background())
					time.AfterFunc(300*time.Millisecond, cancel)
				}
				_, err := c.TaskService().Wait(ctx, request)
				code(err, want, "a wait")
				cancel()
				all.Done()
			}()
		}
		all.Wait()
	}
	begun := time.Now()
	expect(exec(task, "after", "echo fine", 0), "fine", "an exec after that")
	if d := time.Since(begun); d > 5*time.Second {
		fail("an exec took %v after that", d)
	}
	exit, err := task.Wait(background())
	must(err, "wait")
	must(task.Kill(background(), syscall.SIGKILL), "kill")
	ended(exit, 137, "the task")
	remove(container)
}

// slow: a deadline passes while a task is created, which a hook makes slow. The
// server goes on, and holds nothing that keeps the same from being done again.
func slow(c *containerd.Client) {
	s := spec("slow", "exit 3")
	s.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "1.5"}}}}
	container, err := c.NewContainer(background(), "slow", containerd.WithSpec(s), containerd.WithRuntime(runtimeName, nil))
	must(err, "create container")
	begun := time.Now()
	_, err = container.NewTask(within(300*time.Millisecond), cio.NullIO)
	code(err, codes.DeadlineExceeded, "create task")
	if d := time.Since(begun); d > time.Second {
		fail("the deadline passed after %v", d)
	}
	_, err = c.Containers(within(300 * time.Millisecond))
	must(err, "another call meanwhile")
	gone(c, container)

	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task once more")
	exit, err := task.Wait(background())
	must(err, "wait")
	must(task.Start(background()), "start")
	ended(exit, 3, "the task")
	remove(container)
}

// gone: whether the call was undone or carried out after all, there is soon no task,
// or one that can be deleted.
func gone(c *containerd.Client, container containerd.Container) {
	for i := 0; i < 200; i++ {
		task, err := container.Task(background(), nil)
		if err == nil {
			_, err = task.Delete(background(), containerd.WithProcessKill)
			if err == nil {
				return
			}
		} else if errdefs.IsNotFound(err) && i > 40 {
			return // not in the two seconds that it takes
		}
		time.Sleep(50 * time.Millisecond)
	}
	fail("the task that nobody waited for cannot be deleted")
}

// labels: as large as may be, many, and too large ones.
func labels(c, unlimited *containerd.Client) {
	store := c.ContainerService()
	many := map[string]string{}
	for i := 0; i < 2000; i++ {
		key := fmt.Sprintf("label-%04d", i)
		many[key] = strings.Repeat("x", 4096-len(key))
	}
	any, err := typeurl.MarshalAny(spec("labels", "true"))
	must(err, "spec")
	record := containers.Container{ID: "labels", Labels: many, Spec: any, Runtime: containers.RuntimeInfo{Name: runtimeName}}
	_, err = store.Create(background(), record)
	must(err, "create with 8 MiB of labels")
	check := func(what string) {
		got, err := store.Get(background(), "labels")
		must(err, "get")
		expect(len(got.Labels), len(many), what)
		for key, value := range many {
			expect(got.Labels[key], value, "label %s", key)
		}
	}
	check("labels")
	list, err := store.List(background(), `labels."label-0007"~=^x+$`)
	must(err, "list")
	expect(len(list), 1, "containers with such labels")
	many["label-0001"] = "other"
	_, err = store.Update(background(), containers.Container{ID: "labels", Labels: map[string]string{"label-0001": "other"}},
		"labels.label-0001")
	must(err, "update one")
	check("labels after one was set")

	_, err = store.Update(background(), containers.Container{ID: "labels", Labels: map[string]string{"k": strings.Repeat("x", 4096)}},
		"labels.k")
	refused(err, errdefs.IsInvalidArgument, "a label of 4097 bytes")
	check("labels after one was refused")
	for i := 0; i < 2500; i++ {
		many[fmt.Sprintf("more-%04d", i)] = strings.Repeat("x", 4000)
	}
	_, err = api.NewContainersClient(unlimited.Conn()).Create(background(), &api.CreateContainerRequest{
		Container: api.Container{ID: "too-many", Labels: many, Spec: any, Runtime: &api.Container_Runtime{Name: runtimeName}}})
	code(err, codes.ResourceExhausted, "a message of 18 MiB")
	_, err = store.Get(background(), "too-many")
	refused(err, errdefs.IsNotFound, "what was refused")
	must(store.Delete(background(), "labels"), "delete")
}

// reconnect: the daemon is killed, by others, between two files' coming: ours says that
// a task runs, theirs that a daemon serves again.
func reconnect(c *containerd.Client, files string) {
	container := create(c, "reconnect", "until [ -e /tmp/end-reconnect ]; do sleep 0.05; done; exit 6")
	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task")
	exit, err := task.Wait(background())
	must(err, "wait")
	must(task.Start(background()), "start")
	pid := task.Pid()
	must(os.WriteFile(files+".ready", nil, 0o600), "ready")
	select {
	case s := <-exit:
		code(s.Error(), codes.Unavailable, "the wait")
	case <-time.After(20 * time.Second):
		fail("the call does not end with the daemon")
	}
	for i := 0; ; i++ {
		if _, err = os.Stat(files + ".back"); err == nil {
			break
		}
		if i > 400 {
			fail("the daemon does not come back")
		}
		time.Sleep(50 * time.Millisecond)
	}
	// The same client, which tries to connect now and then, and the same task.
	container, err = c.LoadContainer(background(), "reconnect")
	for i := 0; i < 100 && errdefs.IsUnavailable(err); i++ {
		time.Sleep(100 * time.Millisecond)
		container, err = c.LoadContainer(background(), "reconnect")
	}
	must(err, "load")
	task, err = container.Task(background(), nil)
	must(err, "its task")
	expect(task.Pid(), pid, "its pid")
	isStatus(task, containerd.Running)
	told := listen(c, `topic=="/tasks/exit",event.container_id==reconnect`)
	exit, err = task.Wait(background())
	must(err, "wait again")
	exec(task, "end", "touch /tmp/end-reconnect", 0)
	ended(exit, 6, "the task")
	told.are("exit end 0", "exit reconnect 6")
	remove(container)
}
