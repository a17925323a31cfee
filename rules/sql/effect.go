package sql

// harmlessTable holds functions of pg_catalog that are declared volatile and yet change nothing.
var harmlessTable = set(`clock_timestamp current_query currval gen_random_uuid lastval pg_backend_pid pg_blocking_pids
pg_collation_actual_version pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system pg_current_wal_flush_lsn
pg_current_wal_insert_lsn pg_current_wal_lsn pg_database_collation_actual_version pg_database_size pg_get_backend_memory_contexts
pg_get_multixact_members pg_get_shmem_allocations pg_get_wal_replay_pause_state pg_get_wal_resource_managers pg_indexes_size
pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
pg_last_xact_replay_timestamp pg_lock_status pg_notification_queue_usage pg_partition_ancestors pg_partition_tree pg_prepared_xact
pg_relation_size pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_show_replication_origin_status pg_sleep pg_sleep_for
pg_sleep_until pg_stat_get_recovery_prefetch pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit
pg_stat_get_xact_function_calls pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated pg_stat_have_stats pg_table_size pg_tablespace_size
pg_total_relation_size pg_xact_commit_timestamp pg_xact_status random random_normal bernoulli system timeofday txid_status uuidv4 uuidv7`)

// fileTable holds functions that read or write files of the server, of whatever schema.
var fileTable = set(`pg_read_file pg_read_binary_file pg_read_file_old pg_ls_dir pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir
pg_ls_logicalmapdir pg_ls_logicalsnapdir pg_ls_replslotdir pg_ls_summariesdir pg_stat_file lo_import lo_export pg_file_write pg_file_rename
pg_file_unlink pg_file_sync pg_file_read pg_file_length pg_logdir_ls pg_logfile_rotate pg_current_logfile pg_hba_file_rules
pg_ident_file_mappings pg_file_settings pg_show_all_file_settings file_fdw_handler get_raw_page pg_waldump pg_get_wal_records_info pg_get_wal_block_info`)

// textTable holds functions that run text they are given, or read what their arguments name.
var textTable = set(`query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema table_to_xml table_to_xmlschema
table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema
database_to_xml_and_xmlschema ts_stat ts_rewrite crosstab crosstab2 crosstab3 crosstab4 crosstabn connectby xpath_table dblink dblink_exec
dblink_open dblink_fetch dblink_send_query dblink_get_result dblink_connect dblink_connect_u dblink_build_sql_insert dblink_build_sql_update
dblink_build_sql_delete get_raw_page heap_page_items heap_page_item_attrs tuple_data_split bt_page_items gin_leafpage_items brin_page_items
gist_page_items pgstattuple pg_background_launch pg_logical_slot_get_changes pg_logical_slot_peek_changes
pg_logical_slot_get_binary_changes pg_logical_slot_peek_binary_changes lo_get loread plv8_execute exec execute_sql run_command_on_workers
run_command_on_shards run_command_on_placements schedule schedule_in_database lookup_rowtype exec_sql`)

// rowTable holds functions of pg_catalog that take a whole row, so that u.concat may be one as well as a column.
var rowTable = set(`any_out any_value anycompatible_out anycompatiblenonarray_out anyelement_out anynonarray_out array_agg concat count cume_dist dense_rank
first_value hash_record json_agg json_agg_strict json_build_array json_build_object jsonb_agg jsonb_agg_strict jsonb_build_array jsonb_build_object lag last_value
lead max min mode num_nonnulls num_nulls percent_rank pg_column_compression pg_column_size pg_typeof quote_literal quote_nullable rank record_out record_send
row_to_json to_json to_jsonb`)

// systemColumnTable holds the columns that every table has.
var systemColumnTable = set(`tableoid ctid xmin xmax cmin cmax`)

// settingsTable holds relations and functions that tell every setting.
var settingsTable = set(`pg_settings pg_file_settings pg_show_all_settings pg_show_all_file_settings`)

// trustedTable holds the languages whose bodies are read here.
var trustedTable = set(`sql plpgsql`)

// sandboxTable holds languages that cannot reach files and programs, and whose bodies cannot be read here.
var sandboxTable = set(`plperl pltcl plv8 pllua plprql plcoffee plls plrust`)

type verb struct {
	changes bool // not read-only by itself
	plain   bool // known to the shape cache: its facts depend on no literal
}

// verbTable holds the words that statements begin with.
var verbTable = map[string]verb{
	"select": {false, true}, "values": {false, true}, "table": {false, true}, "with": {false, true},
	"insert": {true, true}, "update": {true, true}, "delete": {true, true}, "merge": {true, true}, "truncate": {true, true},
	"begin": {false, true}, "start": {false, true}, "commit": {false, true}, "end": {false, true}, "rollback": {false, true}, "abort": {false, true},
	"savepoint": {false, true}, "release": {false, true},
	"show": {false, false}, "explain": {false, false}, "fetch": {false, false}, "move": {false, false}, "close": {false, false},
	"declare": {false, false}, "deallocate": {false, false}, "execute": {false, false}, "prepare": {false, false}, "copy": {false, false},
	"alter": {true, false}, "analyse": {true, false}, "analyze": {true, false}, "call": {true, false}, "checkpoint": {true, false},
	"cluster": {true, false}, "comment": {true, false}, "create": {true, false}, "discard": {true, false}, "do": {true, false},
	"drop": {true, false}, "grant": {true, false}, "import": {true, false}, "listen": {true, false}, "load": {true, false},
	"lock": {true, false}, "notify": {true, false}, "reassign": {true, false}, "refresh": {true, false}, "reindex": {true, false},
	"reset": {true, false}, "revoke": {true, false}, "security": {true, false}, "set": {true, false}, "unlisten": {true, false},
	"vacuum": {true, false},
}
