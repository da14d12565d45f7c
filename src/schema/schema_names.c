/* The words of HCS's documents; see schema_names.h. */
#include "schema_names.h"

#define ROW(id, word) { word, id },

/* clang-format off */
const struct name schema_system_type_names[] = { SCHEMA_SYSTEM_TYPES(ROW) { 0 } };
const struct name schema_state_names[] = { SCHEMA_STATES(ROW) { 0 } };
const struct name schema_exit_type_names[] = { SCHEMA_EXIT_TYPES(ROW) { 0 } };
const struct name schema_exit_detail_names[] = { SCHEMA_EXIT_DETAILS(ROW) { 0 } };
const struct name schema_initiator_names[] = { SCHEMA_INITIATORS(ROW) { 0 } };
const struct name schema_operation_names[] = { SCHEMA_OPERATIONS(ROW) { 0 } };
const struct name schema_failure_names[] = { SCHEMA_FAILURES(ROW) { 0 } };
const struct name schema_data_type_names[] = { SCHEMA_DATA_TYPES(ROW) { 0 } };
const struct name schema_handle_names[] = { SCHEMA_HANDLES(ROW) { 0 } };
const struct name schema_request_names[] = { SCHEMA_REQUESTS(ROW) { 0 } };
const struct name schema_property_names[] = { SCHEMA_PROPERTIES(ROW) { 0 } };
const struct name schema_service_property_names[] = { SCHEMA_SERVICE_PROPERTIES(ROW) { 0 } };
/* clang-format on */
