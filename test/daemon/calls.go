// calls.go: every call on a task in each of its states, and calls that are wrong:
// what is answered is printed, a line for each, for containerd's and berthd's to
// be compared; see client.go.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	introspection "github.com/containerd/containerd/api/services/introspection/v1"
	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	nsapi "github.com/containerd/containerd/api/services/namespaces/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/typeurl"
	"github.com/gogo/protobuf/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/grpc/status"
)

// answer: its code, and its words if it is an error.
func answer(err error) string {
	s, _ := status.FromError(err)
	if err == nil {
		return "OK"
	}
	return fmt.Sprintf("%v: %s", s.Code(), strings.ReplaceAll(s.Message(), "\n", " "))
}

type call func(ctx context.Context, c tasks.TasksClient, id string) error

func pack(v interface{}) *types.Any {
	any, err := typeurl.MarshalAny(v)
	must(err, "pack")
	return any
}

// onTask: what may be called on a task, or on a process of it.
func onTask() map[string]call {
	process := specs.Process{Args: []string{"sleep", "100"}, Cwd: "/", Env: []string{"PATH=/bin"}}
	limit := int64(64 << 20)
	m := map[string]call{
		"Create": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Create(ctx, &tasks.CreateTaskRequest{ContainerID: id})
			return err
		},
		"ListPids": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.ListPids(ctx, &tasks.ListPidsRequest{ContainerID: id})
			return err
		},
		"Pause": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Pause(ctx, &tasks.PauseTaskRequest{ContainerID: id})
			return err
		},
		"Resume": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Resume(ctx, &tasks.ResumeTaskRequest{ContainerID: id})
			return err
		},
		"Metrics": func(ctx context.Context, c tasks.TasksClient, id string) error {
			r, err := c.Metrics(ctx, &tasks.MetricsRequest{Filters: []string{"id==" + id}})
			if err == nil {
				return fmt.Errorf("%d metrics", len(r.Metrics))
			}
			return err
		},
		"Update": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Update(ctx, &tasks.UpdateTaskRequest{ContainerID: id,
				Resources: pack(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}})})
			return err
		},
		"Delete": func(ctx context.Context, c tasks.TasksClient, id string) error {
			r, err := c.Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: id})
			if err == nil {
				return fmt.Errorf("deleted with %d", r.ExitStatus)
			}
			return err
		},
		"Exec": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Exec(ctx, &tasks.ExecProcessRequest{ContainerID: id, ExecID: "y", Spec: pack(&process)})
			return err
		},
		"Exec again": func(ctx context.Context, c tasks.TasksClient, id string) error {
			_, err := c.Exec(ctx, &tasks.ExecProcessRequest{ContainerID: id, ExecID: "x", Spec: pack(&process)})
			return err
		},
	}
	// Not DeleteProcess without one: containerd loses the task's shim by it.
	for name, exec := range map[string]string{"": "", " of x": "x", " of missing": "missing", " of bad": "no/pe"} {
		onProcess(m, name, exec)
	}
	return m
}

func onProcess(m map[string]call, name, exec string) {
	m["Get"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		r, err := c.Get(ctx, &tasks.GetRequest{ContainerID: id, ExecID: exec})
		if err == nil {
			return fmt.Errorf("%v, pid %v, status %d, stdin '%s'", r.Process.Status, r.Process.Pid != 0, r.Process.ExitStatus, r.Process.Stdin)
		}
		return err
	}
	m["Start"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		_, err := c.Start(ctx, &tasks.StartRequest{ContainerID: id, ExecID: exec})
		return err
	}
	m["Kill"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		_, err := c.Kill(ctx, &tasks.KillRequest{ContainerID: id, ExecID: exec, Signal: uint32(syscall.SIGURG)})
		return err
	}
	m["CloseIO"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		_, err := c.CloseIO(ctx, &tasks.CloseIORequest{ContainerID: id, ExecID: exec, Stdin: true})
		return err
	}
	m["ResizePty"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		_, err := c.ResizePty(ctx, &tasks.ResizePtyRequest{ContainerID: id, ExecID: exec, Width: 80, Height: 24})
		return err
	}
	m["Wait"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		short, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
		defer cancel()
		r, err := c.Wait(short, &tasks.WaitRequest{ContainerID: id, ExecID: exec})
		if err != nil && strings.Contains(err.Error(), "context deadline exceeded") {
			return fmt.Errorf("waits")
		}
		if err == nil {
			return fmt.Errorf("ended with %d", r.ExitStatus)
		}
		return err
	}
	if exec == "" {
		return
	}
	m["DeleteProcess"+name] = func(ctx context.Context, c tasks.TasksClient, id string) error {
		r, err := c.DeleteProcess(ctx, &tasks.DeleteProcessRequest{ContainerID: id, ExecID: exec})
		if err == nil {
			return fmt.Errorf("deleted with %d", r.ExitStatus)
		}
		return err
	}
}

// into: brings a container into a state, with an exec x where there may be one.
func into(c *containerd.Client, id, state string) containerd.Container {
	container := create(c, id, "exec sleep 100")
	if state == "no task" {
		return container
	}
	task, err := container.NewTask(background(), cio.NullIO)
	must(err, "create task %s", id)
	if state == "created" {
		return container
	}
	exit, err := task.Wait(background())
	must(err, "wait for %s", id)
	must(task.Start(background()), "start %s", id)
	if state == "running, x created" || state == "running, x running" || state == "running, x stopped" {
		script := map[bool]string{true: "exit 9", false: "exec sleep 100"}[state == "running, x stopped"]
		p, err := task.Exec(background(), "x", &specs.Process{Args: []string{"sh", "-c", script}, Cwd: "/",
			Env: []string{"PATH=/bin"}}, cio.NullIO)
		must(err, "exec in %s", id)
		ended, err := p.Wait(background())
		must(err, "wait for the exec in %s", id)
		if state != "running, x created" {
			must(p.Start(background()), "start the exec in %s", id)
		}
		if state == "running, x stopped" {
			<-ended
		}
	}
	switch state {
	case "paused":
		must(task.Pause(background()), "pause %s", id)
	case "stopped":
		must(task.Kill(background(), syscall.SIGKILL), "kill %s", id)
		<-exit
	}
	return container
}

// states: each call on a task of its own in each state.
func states(c *containerd.Client) []string {
	var lines []string
	var all sync.WaitGroup
	var lock sync.Mutex
	slots := make(chan bool, 6)

	n := 0
	for _, state := range []string{"no task", "created", "running", "running, x created", "running, x running",
		"running, x stopped", "paused", "stopped"} {
		for name, f := range onTask() {
			of := strings.Contains(name, " of x") || name == "Exec again"
			if of != strings.Contains(state, " x ") {
				continue
			}
			n++
			all.Add(1)
			go func(n int, state, name string, f call) {
				slots <- true
				id := fmt.Sprintf("state-%d", n)
				container := into(c, id, state)
				got := answer(f(background(), c.TaskService(), id))
				remove(container)
				lock.Lock()
				lines = append(lines, fmt.Sprintf("%s: %s: %s", state, name, strings.ReplaceAll(got, id, "ID")))
				lock.Unlock()
				<-slots
				all.Done()
			}(n, state, name, f)
		}
	}
	all.Wait()
	return lines
}

// wrong: calls that are refused, or answered with nothing.
func wrong(c *containerd.Client) []string {
	var lines []string
	say := func(what string, err error) { lines = append(lines, "wrong: "+what+": "+answer(err)) }
	ctx := background()

	for name, f := range onTask() {
		say(name+" of no container", f(ctx, c.TaskService(), "missing"))
		say(name+" of a bad id", f(ctx, c.TaskService(), "no/pe"))
		say(name+" without a namespace", f(context.Background(), c.TaskService(), "missing"))
		say(name+" in a bad namespace", f(namespaces.WithNamespace(context.Background(), "no/pe"), c.TaskService(), "missing"))
	}
	wrongContainers(ctx, containersapi.NewContainersClient(c.Conn()), say)
	wrongOthers(ctx, c, say)
	return lines
}

func wrongContainers(ctx context.Context, s containersapi.ContainersClient, say func(string, error)) {
	any := pack(spec("wrong", "true"))
	runtime := &containersapi.Container_Runtime{Name: runtimeName}
	for what, r := range map[string]containersapi.Container{
		"empty": {}, "no runtime": {ID: "wrong", Spec: any}, "no name of a runtime": {ID: "wrong", Spec: any, Runtime: &containersapi.Container_Runtime{}},
		"no spec": {ID: "wrong", Runtime: runtime}, "snapshot without snapshotter": {ID: "wrong", Spec: any, Runtime: runtime, SnapshotKey: "x"},
		"snapshotter without a snapshot": {ID: "wrong2", Spec: any, Runtime: runtime, Snapshotter: "native"},
		"an empty extension":             {ID: "wrong3", Spec: any, Runtime: runtime, Extensions: map[string]types.Any{"": *any}},
	} {
		_, err := s.Create(ctx, &containersapi.CreateContainerRequest{Container: r})
		say("Create, "+what, err)
		if err == nil {
			_, err = s.Delete(ctx, &containersapi.DeleteContainerRequest{ID: r.ID})
			must(err, "delete")
		}
	}
	_, err := s.Create(ctx, &containersapi.CreateContainerRequest{Container: containersapi.Container{ID: "right", Spec: any, Runtime: runtime,
		Labels: map[string]string{"a": "1", "b": "2"}}})
	must(err, "create")
	for what, r := range map[string]*containersapi.UpdateContainerRequest{
		"runtime":         {Container: containersapi.Container{ID: "right", Runtime: &containersapi.Container_Runtime{Name: "x"}}, UpdateMask: &types.FieldMask{Paths: []string{"runtime"}}},
		"runtime.name":    {Container: containersapi.Container{ID: "right", Runtime: &containersapi.Container_Runtime{Name: "x"}}, UpdateMask: &types.FieldMask{Paths: []string{"runtime.name"}}},
		"nonsense":        {Container: containersapi.Container{ID: "right"}, UpdateMask: &types.FieldMask{Paths: []string{"nonsense"}}},
		"id":              {Container: containersapi.Container{ID: "right"}, UpdateMask: &types.FieldMask{Paths: []string{"id"}}},
		"snapshotter":     {Container: containersapi.Container{ID: "right", Snapshotter: "x"}, UpdateMask: &types.FieldMask{Paths: []string{"snapshotter"}}},
		"without a mask":  {Container: containersapi.Container{ID: "right", Snapshotter: "x"}},
		"created_at":      {Container: containersapi.Container{ID: "right"}, UpdateMask: &types.FieldMask{Paths: []string{"created_at"}}},
		"missing":         {Container: containersapi.Container{ID: "missing", Labels: map[string]string{"a": "b"}}, UpdateMask: &types.FieldMask{Paths: []string{"labels"}}},
		"of no container": {UpdateMask: &types.FieldMask{Paths: []string{"labels"}}},
	} {
		_, err := s.Update(ctx, r)
		say("Update, "+what, err)
	}
	_, err = s.Get(ctx, &containersapi.GetContainerRequest{ID: ""})
	say("Get of ''", err)
	_, err = s.Delete(ctx, &containersapi.DeleteContainerRequest{ID: "missing"})
	say("Delete, missing", err)
	_, err = s.Delete(ctx, &containersapi.DeleteContainerRequest{ID: "right"})
	must(err, "delete")
}

func wrongOthers(ctx context.Context, c *containerd.Client, say func(string, error)) {
	e := eventsapi.NewEventsClient(c.Conn())
	for what, topic := range map[string]string{"no topic": "", "relative": "x", "only /": "/", "a bad part": "/x/-y", "an empty part": "/x//y", "a last /": "/x/"} {
		_, err := e.Publish(ctx, &eventsapi.PublishRequest{Topic: topic, Event: pack(&specs.Process{})})
		say("Publish, "+what, err)
	}
	_, err := e.Publish(context.Background(), &eventsapi.PublishRequest{Topic: "/x", Event: pack(&specs.Process{})})
	say("Publish without a namespace", err)
	for what, v := range map[string]*eventsapi.Envelope{
		"no time":      {Namespace: "default", Topic: "/x", Event: pack(&specs.Process{})},
		"no namespace": {Timestamp: time.Now(), Topic: "/x", Event: pack(&specs.Process{})},
		"a bad topic":  {Timestamp: time.Now(), Namespace: "default", Topic: "x", Event: pack(&specs.Process{})},
		"good":         {Timestamp: time.Now(), Namespace: "default", Topic: "/x/y", Event: pack(&specs.Process{})},
	} {
		_, err := e.Forward(ctx, &eventsapi.ForwardRequest{Envelope: v})
		say("Forward, "+what, err)
	}
	sub, err := e.Subscribe(ctx, &eventsapi.SubscribeRequest{Filters: []string{"topic==="}})
	must(err, "subscribe")
	_, err = sub.Recv()
	say("Subscribe, a bad filter", err)

	digest := "sha256:" + strings.Repeat("0", 64)
	l := leasesapi.NewLeasesClient(c.Conn())
	_, err = l.Create(ctx, &leasesapi.CreateRequest{ID: "wrong", Labels: map[string]string{"k": strings.Repeat("x", 5000)}})
	say("Leases/Create, a label too long", err)
	_, err = l.List(ctx, &leasesapi.ListRequest{Filters: []string{"id==="}})
	say("Leases/List, a bad filter", err)
	_, err = l.AddResource(ctx, &leasesapi.AddResourceRequest{ID: "missing", Resource: leasesapi.Resource{ID: digest, Type: "content"}})
	say("Leases/AddResource, no lease", err)
	_, err = l.ListResources(ctx, &leasesapi.ListResourcesRequest{ID: "missing"})
	say("Leases/ListResources, no lease", err)
	_, err = l.Create(ctx, &leasesapi.CreateRequest{ID: "held"})
	must(err, "lease")
	_, err = l.AddResource(ctx, &leasesapi.AddResourceRequest{ID: "held", Resource: leasesapi.Resource{ID: "x", Type: "nonsense"}})
	say("Leases/AddResource, a bad type", err)
	_, err = l.AddResource(ctx, &leasesapi.AddResourceRequest{ID: "held", Resource: leasesapi.Resource{ID: "x", Type: "content"}})
	say("Leases/AddResource, a bad digest", err)
	_, err = l.DeleteResource(ctx, &leasesapi.DeleteResourceRequest{ID: "held", Resource: leasesapi.Resource{ID: "x", Type: "content"}})
	say("Leases/DeleteResource, not in it", err)
	_, err = l.Delete(ctx, &leasesapi.DeleteRequest{ID: "held"})
	must(err, "lease")

	n := nsapi.NewNamespacesClient(c.Conn())
	_, err = n.Get(ctx, &nsapi.GetNamespaceRequest{Name: "missing"})
	say("Namespaces/Get, missing", err)
	_, err = n.Delete(ctx, &nsapi.DeleteNamespaceRequest{Name: "missing"})
	say("Namespaces/Delete, missing", err)
	_, err = n.Create(ctx, &nsapi.CreateNamespaceRequest{})
	say("Namespaces/Create, empty", err)
	_, err = introspection.NewIntrospectionClient(c.Conn()).Plugins(ctx, &introspection.PluginsRequest{Filters: []string{"type==="}})
	say("Plugins, a bad filter", err)
}

// calls: all of them, in an order of their own.
func calls(c *containerd.Client) {
	lines := append(states(c), wrong(c)...)
	sort.Strings(lines)
	fmt.Fprintln(os.Stdout, strings.Join(lines, "\n"))
}
