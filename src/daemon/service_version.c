/* Version, and whether it serves (grpc.health.v1.Health): what clients ask first. */
#include "health.pb-c.h"
#include "request.h"
#include "revision.h"
#include "str.h"
#include "version.pb-c.h"

void serve_version(struct request *q)
{
	Containerd__Services__Version__V1__VersionResponse m =
		CONTAINERD__SERVICES__VERSION__V1__VERSION_RESPONSE__INIT;

	m.version = (char *)BERTH_VERSION;
	m.revision = (char *)BERTH_REVISION;
	request_reply(q, &m.base);
}

void serve_health_check(struct request *q)
{
	const Grpc__Health__V1__HealthCheckRequest *m = (const void *)q->m;
	Grpc__Health__V1__HealthCheckResponse answer = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct err e;

	if (*m->service && !service_is_known(m->service)) {
		err_set(&e, ERR_NOT_FOUND, 0, "unknown service");
		request_fail(q, &e);
		return;
	}
	answer.status = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	request_reply(q, &answer.base);
}
