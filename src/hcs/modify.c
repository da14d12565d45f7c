/* HcsModifyComputeSystem(): limits, and directories and pipes of a running system. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "berth_shim.pb-c.h"
#include "host.h"
#include "json.h"
#include "problems.h"
#include "results.h"
#include "schema_oci.h"
#include "str.h"
#include "system.h"
#include "task.pb-c.h"
#include "wellknown.pb-c.h"

static void on_modified(struct request *rq, int r, const struct err *e)
{
	HRESULT hr = r < 0 ? system_refused(rq->sys, e) : S_OK;

	/* A mount point is not a system. */
	if (r < 0 && e->kind == ERR_EXISTS)
		hr = BERTH_E_FROM_ERRNO(EEXIST);
	request_end(rq, hr, e, NULL);
}

static int update(struct request *rq, const struct schema_modify *doc, struct err *e)
{
	const struct schema_oci_input in = { .processors = host_processors(), .cgroup_v2 = host_cgroup_v2() };
	Containerd__Task__V2__UpdateTaskRequest m = CONTAINERD__TASK__V2__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	struct schema_text text;
	int r = schema_oci_resources(&rq->a, doc, &in, &text, e);

	if (r < 0)
		return r;
	any.type_url = (char *)(uintptr_t) "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources";
	any.value.data = (uint8_t *)text.text;
	any.value.len = text.len;
	m.id = rq->sys->id;
	m.resources = &any;
	return request_call(rq, "Update", &m.base, on_modified, e);
}

static char *mount_of(struct arena *a, const struct schema_bind *b)
{
	OWN_SB struct sb text = SB_INIT;
	struct jw w;

	jw_init(&w, &text, NULL);
	jw_begin(&w, '{');
	jw_kstr(&w, "destination", b->destination);
	jw_kstr(&w, "type", "bind");
	jw_kstr(&w, "source", b->source);
	jw_kbegin(&w, "options", '[');
	jw_str(&w, b->is_directory ? "rbind" : "bind");
	if (b->read_only)
		jw_str(&w, "rro");
	jw_end(&w);
	jw_end(&w);
	return text.failed ? NULL : arena_strdup(a, text.s);
}

static int change_mount(struct request *rq, const struct schema_modify *doc, struct err *e)
{
	Berth__Shim__V1__MountAddRequest add = BERTH__SHIM__V1__MOUNT_ADD_REQUEST__INIT;
	Berth__Shim__V1__MountRemoveRequest gone = BERTH__SHIM__V1__MOUNT_REMOVE_REQUEST__INIT;
	struct schema_bind bind;
	int r = schema_bind_of(&rq->a, doc, &bind, e);

	if (r < 0)
		return r;
	if (doc->request == SCHEMA_REQUEST_REMOVE) {
		gone.id = rq->sys->id;
		gone.destination = (char *)(uintptr_t)bind.destination;
		return request_call(rq, "MountRemove", &gone.base, on_modified, e);
	}
	add.id = rq->sys->id;
	add.mount = mount_of(&rq->a, &bind);
	if (!add.mount)
		return err_sys(e, -ENOMEM, "describe the mount");
	return request_call(rq, "MountAdd", &add.base, on_modified, e);
}

static void begin(struct request *rq, const char *text)
{
	const struct schema_source src = { .text = text, .len = strlen(text), .name = "settings" };
	struct schema_modify *doc;
	HRESULT hr = S_OK;
	struct err e;
	int r = schema_parse_modify(&rq->a, &src, &doc, &e);

	if (r < 0)
		hr = document_result(&e);
	else if (doc->resource == SCHEMA_RESOURCE_MEMORY || doc->resource == SCHEMA_RESOURCE_PROCESSOR)
		r = update(rq, doc, &e);
	else
		r = change_mount(rq, doc, &e);
	if (r < 0)
		request_end(rq, FAILED(hr) ? hr : result_of(&e), &e, NULL);
}

API HRESULT HcsModifyComputeSystem(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *configuration,
				   int identity)
{
	struct call c;
	HRESULT hr = call_begin(&c, __func__);
	struct request *rq;

	if (FAILED(hr))
		return hr;
	c.doc = configuration;
	hr = call_claim(&c, operation, HcsOperationTypeModify);
	if (SUCCEEDED(hr))
		hr = call_system(&c, computeSystem);
	if (SUCCEEDED(hr) && !configuration)
		hr = call_refuse(&c, E_INVALIDARG, "configuration: is NULL");
	if (SUCCEEDED(hr) && identity != -1)
		hr = call_refuse(&c, HCS_E_ERROR_NOT_SUPPORTED, "identity: must be -1");
	if (SUCCEEDED(hr))
		hr = system_check(&c, SYS_CALL_MODIFY);
	if (FAILED(hr))
		return call_end(&c, hr);
	rq = request_new(&c);
	if (!rq)
		return call_end(&c, E_OUTOFMEMORY);
	begin(rq, configuration);
	return call_end(&c, S_OK);
}
