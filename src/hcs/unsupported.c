/* Functions of the documented header that mean nothing on Linux: one list. */
#include "hcs.h"

static HRESULT answer(const char *name)
{
	struct call c;
	HRESULT hr = call_begin(&c, name);

	if (FAILED(hr))
		return hr;
	return call_end(&c, call_refuse(&c, HCS_E_ERROR_NOT_SUPPORTED, "not on Linux"));
}

static HRESULT answer_operation(const char *name, HCS_OPERATION operation)
{
	struct call c;
	HRESULT hr = call_begin(&c, name);

	if (FAILED(hr))
		return hr;
	hr = call_claim(&c, operation, HcsOperationTypeLiveMigration);
	return call_end(&c, FAILED(hr) ? hr : call_refuse(&c, HCS_E_ERROR_NOT_SUPPORTED, "not on Linux"));
}

#define WITH_OPERATION(X)                  \
	X(HcsInitializeLiveMigrationOnSource) \
	X(HcsStartLiveMigrationOnSource)   \
	X(HcsStartLiveMigrationTransfer)   \
	X(HcsFinalizeLiveMigration)        \
	X(HcsCancelLiveMigration)

#define WITH_TEXT(X)                                             \
	X(HcsSubmitWerReport, settings)                          \
	X(HcsCreateEmptyGuestStateFile, guestStateFilePath)      \
	X(HcsCreateEmptyRuntimeStateFile, runtimeStateFilePath)  \
	X(HcsGrantVmGroupAccess, filePath)                       \
	X(HcsRevokeVmGroupAccess, filePath)

#define WITH_TWO_TEXTS(X)                                        \
	X(HcsGrantVmAccess)                                      \
	X(HcsRevokeVmAccess)

#define X(name)                                                                               \
	API HRESULT name(HCS_SYSTEM computeSystem, HCS_OPERATION operation, const char *options)     \
	{                                                                                     \
		return answer_operation(#name, operation);                                    \
	}
WITH_OPERATION(X)
#undef X

#define X(name, argument)                       \
	API HRESULT name(const char *argument)      \
	{                                       \
		return answer(#name);           \
	}
WITH_TEXT(X)
#undef X

#define X(name)                                                 \
	API HRESULT name(const char *vmId, const char *filePath)    \
	{                                                       \
		return answer(#name);                           \
	}
WITH_TWO_TEXTS(X)
#undef X

API HRESULT HcsGetProcessorCompatibilityFromSavedState(const char *runtimeFileName, char **processorFeaturesString)
{
	if (processorFeaturesString)
		*processorFeaturesString = NULL;
	return answer("HcsGetProcessorCompatibilityFromSavedState");
}
