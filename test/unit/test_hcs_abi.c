/* What programs were compiled with stays: sizes, places and numbers of the public headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <berth/hcsshim.h>

/* Of a machine with pointers of 8 bytes; on others only that they are as the compiler has them. */
#if UINTPTR_MAX == UINT64_MAX
#define AT(type, member, place) assert_int_equal(offsetof(type, member), place)
#define SIZE(type, size) assert_int_equal(sizeof(type), size)
#else
#define AT(type, member, place) ((void)0)
#define SIZE(type, size) ((void)0)
#endif

static void test_structs(void **state)
{
	SIZE(HRESULT, 4);
	SIZE(HCS_SYSTEM, 8);
	SIZE(HCS_PROCESS_INFORMATION, 20);
	AT(HCS_PROCESS_INFORMATION, ProcessId, 0);
	AT(HCS_PROCESS_INFORMATION, Reserved, 4);
	AT(HCS_PROCESS_INFORMATION, StdInput, 8);
	AT(HCS_PROCESS_INFORMATION, StdOutput, 12);
	AT(HCS_PROCESS_INFORMATION, StdError, 16);
	SIZE(HCS_EVENT, 24);
	AT(HCS_EVENT, Type, 0);
	AT(HCS_EVENT, EventData, 8);
	AT(HCS_EVENT, Operation, 16);
	SIZE(HCS_CREATE_OPTIONS_1, 40);
	AT(HCS_CREATE_OPTIONS_1, Version, 0);
	AT(HCS_CREATE_OPTIONS_1, UserToken, 4);
	AT(HCS_CREATE_OPTIONS_1, SecurityDescriptor, 8);
	AT(HCS_CREATE_OPTIONS_1, CallbackOptions, 16);
	AT(HCS_CREATE_OPTIONS_1, CallbackContext, 24);
	AT(HCS_CREATE_OPTIONS_1, Callback, 32);
	SIZE(HCS_CREATE_OPTIONS_BERTH_1, 72);
	AT(HCS_CREATE_OPTIONS_BERTH_1, Callback, 32);
	AT(HCS_CREATE_OPTIONS_BERTH_1, Lifetime, 40);
	AT(HCS_CREATE_OPTIONS_BERTH_1, Reserved, 44);
}

/* Microsoft's numbers. */
static void test_numbers(void **state)
{
	static const struct {
		int64_t is, is_to_be;
	} rows[] = {
		{ HcsOperationTypeNone, -1 },
		{ HcsOperationTypeEnumerate, 0 },
		{ HcsOperationTypeCreate, 1 },
		{ HcsOperationTypeStart, 2 },
		{ HcsOperationTypeShutdown, 3 },
		{ HcsOperationTypePause, 4 },
		{ HcsOperationTypeResume, 5 },
		{ HcsOperationTypeSave, 6 },
		{ HcsOperationTypeTerminate, 7 },
		{ HcsOperationTypeModify, 8 },
		{ HcsOperationTypeGetProperties, 9 },
		{ HcsOperationTypeCreateProcess, 10 },
		{ HcsOperationTypeSignalProcess, 11 },
		{ HcsOperationTypeGetProcessInfo, 12 },
		{ HcsOperationTypeGetProcessProperties, 13 },
		{ HcsOperationTypeModifyProcess, 14 },
		{ HcsOperationTypeCrash, 15 },
		{ HcsOperationTypeLiveMigration, 19 },
		{ HcsOperationTypeDelete, 0x1000 },
		{ HcsEventInvalid, 0 },
		{ HcsEventSystemExited, 1 },
		{ HcsEventSystemCrashInitiated, 2 },
		{ HcsEventSystemCrashReport, 3 },
		{ HcsEventSystemRdpEnhancedModeStateChanged, 4 },
		{ HcsEventSystemSiloJobCreated, 5 },
		{ HcsEventSystemGuestConnectionClosed, 6 },
		{ HcsEventProcessExited, 0x00010000 },
		{ HcsEventOperationCallback, 0x01000000 },
		{ HcsEventServiceDisconnect, 0x02000000 },
		{ HcsEventGroupVmLifecycle, (int32_t)0x80000002 },
		{ HcsEventGroupLiveMigration, (int32_t)0x80000003 },
		{ HcsEventGroupOperationInfo, (int32_t)0xC0000001 },
		{ HcsEventServiceSystem, 0x03000000 },
		{ HcsEventOptionEnableOperationCallbacks, 1 },
		{ HcsEventOptionEnableVmLifecycle, 2 },
		{ HcsEventOptionEnableLiveMigrationEvents, 4 },
		{ HcsEventOptionEnableHistory, 0x1000 },
		{ HcsOperationOptionProgressUpdate, 1 },
		{ HcsResourceTypeFile, 1 },
		{ HcsResourceTypeSocket, 4 },
		{ HcsCreateOptions_1, 0x00010000 },
		{ HcsCreateOptions_Berth1, 0x00BE0001 },
		{ HcsLifetimeHandles, 0 },
		{ HcsLifetimeKeep, 1 },
		{ HcsLogError, 0 },
		{ HcsLogDebug, 3 },
		{ INFINITE, 0xFFFFFFFF },
		{ GENERIC_ALL, 0x10000000 },
		{ HCS_E_TERMINATED_DURING_START, (int32_t)0x80370100 },
		{ HCS_E_INVALID_STATE, (int32_t)0x80370105 },
		{ HCS_E_INVALID_JSON, (int32_t)0x8037010D },
		{ HCS_E_SYSTEM_NOT_FOUND, (int32_t)0x8037010E },
		{ HCS_E_SYSTEM_ALREADY_EXISTS, (int32_t)0x8037010F },
		{ HCS_E_SYSTEM_ALREADY_STOPPED, (int32_t)0x80370110 },
		{ HCS_E_OPERATION_NOT_STARTED, (int32_t)0x80370115 },
		{ HCS_E_OPERATION_ALREADY_STARTED, (int32_t)0x80370116 },
		{ HCS_E_OPERATION_PENDING, (int32_t)0x80370117 },
		{ HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET, (int32_t)0x80370119 },
		{ E_NOTIMPL, (int32_t)0x80004001 },
		{ E_INVALIDARG, (int32_t)0x80070057 },
		{ E_OUTOFMEMORY, (int32_t)0x8007000E },
		{ BERTH_E_FROM_ERRNO(2), (int32_t)0xA0BE0002 },
		{ BERTH_E_AFTER_FORK, (int32_t)0xA0BF0001 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(rows[i].is, rows[i].is_to_be);
	assert_true(HCS_INVALID_OPERATION_ID == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structs),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
