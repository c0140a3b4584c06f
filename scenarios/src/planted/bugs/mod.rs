//! The bugs, a file each.

mod acknowledge_before_sync;
mod address_in_the_trace;
mod ageing_forgotten;
mod awaited_forgotten;
mod backoff_forgotten;
mod backoff_of_a_kind_unheard;
mod batch_answered_backwards;
mod batch_in_parts;
mod bound_never_shrinks;
mod bucket_kept_in_memory;
mod cancel_dropped;
mod checkpoint_in_a_copy;
mod claims_miscounted;
mod claims_unheard_after_restart;
mod compaction_cuts_early;
mod completion_called_discard;
mod completion_written_late;
mod copy_unsynced;
mod crash_count_rotates;
mod crash_counted_as_failure;
mod deadline_forgotten;
mod directory_never_synced;
mod early_signal_lost;
mod effect_before_its_completion;
mod end_unheard;
mod end_unwritten;
mod expired_lease_revived;
mod failure_only_logged;
mod failures_untold;
mod forgetting_stuck;
mod forgotten_in_part;
mod forgotten_too_early;
mod half_reopened;
mod hash_map_order;
mod heartbeat_renews_nothing;
mod held_job_runs_after_restart;
mod identity_of_an_opening;
mod key_before_its_job;
mod key_forgotten;
mod key_stands_too_long;
mod kinds_of_the_first_claim;
mod lease_a_little_too_long;
mod lease_by_the_wall_clock;
mod lease_never_expires;
mod lease_nonce_ignored;
mod lease_too_short;
mod leases_of_keys_forgotten;
mod lock_not_taken;
mod log_emptied_before_file_synced;
mod log_not_written;
mod log_written_over;
mod missed_slots_burst;
mod no_sync_at_open;
mod one_more_of_a_key;
mod one_more_of_a_queue;
mod page_never_turned;
mod pause_forgotten;
mod payload_cut;
mod payload_cut_unnoticed;
mod period_by_half;
mod place_in_line_forgotten;
mod place_run_twice;
mod poison_never_quarantined;
mod priority_forgotten;
mod probe_end_unheard;
mod probe_without_a_rest;
mod progress_runs_back;
mod queues_mixed_up;
mod real_clock;
mod release_counted_as_failure;
mod repeat_under_a_new_name;
mod request_forgotten;
mod rest_without_end;
mod result_of_a_retry_lost;
mod resume_forgotten;
mod retryable_ignored;
mod rollback_forgotten;
mod rot_served_as_data;
mod settle_guesses;
mod signal_garbled;
mod signal_given_away_again;
mod skips_unsaid;
mod slot_lost_in_a_crash;
mod slot_written_late;
mod slots_unsaid;
mod snooze_called_a_delay;
mod stale_completion_accepted;
mod stale_lease_accepted;
mod stale_transaction_accepted;
mod start_not_written;
mod step_kept_in_memory;
mod steps_not_recalled;
mod sync_error_ignored;
mod time_out_unheard;
mod time_out_unsaid;
mod time_to_wait_forgotten;
mod trace_lost_on_retry;
mod trust_too_long;
mod tx_step_apart;
mod undecodable_only_logged;
mod unknown_called_impossible;
mod unmet_taken_for_met;
mod unstarted_lease_without_end;
mod wait_without_a_reason;
mod waits_unheard_after_restart;
mod worker_misnamed;
mod workers_elsewhere_forgotten;
mod workers_made_up;
mod workers_unseen;
mod workers_untold;
mod zombie_step_accepted;
mod zombie_told_done;

use super::Bug;

/// All of them, by the invariant that they break.
pub const ALL: &[&dyn Bug] = &[
    &acknowledge_before_sync::AcknowledgeBeforeSync,
    &no_sync_at_open::NoSyncAtOpen,
    &sync_error_ignored::SyncErrorIgnored,
    &directory_never_synced::DirectoryNeverSynced,
    &log_emptied_before_file_synced::LogEmptiedBeforeFileSynced,
    &unknown_called_impossible::UnknownCalledImpossible,
    &key_before_its_job::KeyBeforeItsJob,
    &payload_cut::PayloadCut,
    &lease_never_expires::LeaseNeverExpires,
    &lease_too_short::LeaseTooShort,
    &lease_a_little_too_long::LeaseALittleTooLong,
    &stale_completion_accepted::StaleCompletionAccepted,
    &stale_lease_accepted::StaleLeaseAccepted,
    &stale_transaction_accepted::StaleTransactionAccepted,
    &zombie_step_accepted::ZombieStepAccepted,
    &expired_lease_revived::ExpiredLeaseRevived,
    &heartbeat_renews_nothing::HeartbeatRenewsNothing,
    &unstarted_lease_without_end::UnstartedLeaseWithoutEnd,
    &lease_by_the_wall_clock::LeaseByTheWallClock,
    &workers_elsewhere_forgotten::WorkersElsewhereForgotten,
    &trust_too_long::TrustTooLong,
    &lock_not_taken::LockNotTaken,
    &failure_only_logged::FailureOnlyLogged,
    &undecodable_only_logged::UndecodableOnlyLogged,
    &crash_counted_as_failure::CrashCountedAsFailure,
    &crash_count_rotates::CrashCountRotates,
    &release_counted_as_failure::ReleaseCountedAsFailure,
    &backoff_forgotten::BackoffForgotten,
    &retryable_ignored::RetryableIgnored,
    &poison_never_quarantined::PoisonNeverQuarantined,
    &start_not_written::StartNotWritten,
    &wait_without_a_reason::WaitWithoutAReason,
    &place_in_line_forgotten::PlaceInLineForgotten,
    &bound_never_shrinks::BoundNeverShrinks,
    &snooze_called_a_delay::SnoozeCalledADelay,
    &cancel_dropped::CancelDropped,
    &end_unheard::EndUnheard,
    &held_job_runs_after_restart::HeldJobRunsAfterRestart,
    &unmet_taken_for_met::UnmetTakenForMet,
    &completion_called_discard::CompletionCalledDiscard,
    &repeat_under_a_new_name::RepeatUnderANewName,
    &key_forgotten::KeyForgotten,
    &key_stands_too_long::KeyStandsTooLong,
    &period_by_half::PeriodByHalf,
    &request_forgotten::RequestForgotten,
    &completion_written_late::CompletionWrittenLate,
    &zombie_told_done::ZombieToldDone,
    &result_of_a_retry_lost::ResultOfARetryLost,
    &effect_before_its_completion::EffectBeforeItsCompletion,
    &rollback_forgotten::RollbackForgotten,
    &settle_guesses::SettleGuesses,
    &place_run_twice::PlaceRunTwice,
    &tx_step_apart::TxStepApart,
    &steps_not_recalled::StepsNotRecalled,
    &step_kept_in_memory::StepKeptInMemory,
    &progress_runs_back::ProgressRunsBack,
    &identity_of_an_opening::IdentityOfAnOpening,
    &early_signal_lost::EarlySignalLost,
    &signal_given_away_again::SignalGivenAwayAgain,
    &rest_without_end::RestWithoutEnd,
    &claims_unheard_after_restart::ClaimsUnheardAfterRestart,
    &time_to_wait_forgotten::TimeToWaitForgotten,
    &waits_unheard_after_restart::WaitsUnheardAfterRestart,
    &leases_of_keys_forgotten::LeasesOfKeysForgotten,
    &one_more_of_a_key::OneMoreOfAKey,
    &bucket_kept_in_memory::BucketKeptInMemory,
    &priority_forgotten::PriorityForgotten,
    &ageing_forgotten::AgeingForgotten,
    &kinds_of_the_first_claim::KindsOfTheFirstClaim,
    &queues_mixed_up::QueuesMixedUp,
    &workers_unseen::WorkersUnseen,
    &workers_made_up::WorkersMadeUp,
    &claims_miscounted::ClaimsMiscounted,
    &pause_forgotten::PauseForgotten,
    &resume_forgotten::ResumeForgotten,
    &probe_without_a_rest::ProbeWithoutARest,
    &slots_unsaid::SlotsUnsaid,
    &one_more_of_a_queue::OneMoreOfAQueue,
    &probe_end_unheard::ProbeEndUnheard,
    &backoff_of_a_kind_unheard::BackoffOfAKindUnheard,
    &failures_untold::FailuresUntold,
    &time_out_unheard::TimeOutUnheard,
    &time_out_unsaid::TimeOutUnsaid,
    &deadline_forgotten::DeadlineForgotten,
    &workers_untold::WorkersUntold,
    &log_not_written::LogNotWritten,
    &log_written_over::LogWrittenOver,
    &page_never_turned::PageNeverTurned,
    &half_reopened::HalfReopened,
    &slot_lost_in_a_crash::SlotLostInACrash,
    &slot_written_late::SlotWrittenLate,
    &missed_slots_burst::MissedSlotsBurst,
    &skips_unsaid::SkipsUnsaid,
    &forgotten_too_early::ForgottenTooEarly,
    &forgotten_in_part::ForgottenInPart,
    &end_unwritten::EndUnwritten,
    &forgetting_stuck::ForgettingStuck,
    &batch_in_parts::BatchInParts,
    &batch_answered_backwards::BatchAnsweredBackwards,
    &checkpoint_in_a_copy::CheckpointInACopy,
    &copy_unsynced::CopyUnsynced,
    &compaction_cuts_early::CompactionCutsEarly,
    &trace_lost_on_retry::TraceLostOnRetry,
    &awaited_forgotten::AwaitedForgotten,
    &rot_served_as_data::RotServedAsData,
    &lease_nonce_ignored::LeaseNonceIgnored,
    &payload_cut_unnoticed::PayloadCutUnnoticed,
    &signal_garbled::SignalGarbled,
    &worker_misnamed::WorkerMisnamed,
    &hash_map_order::HashMapOrder,
    &real_clock::RealClock,
    &address_in_the_trace::AddressInTheTrace,
];
