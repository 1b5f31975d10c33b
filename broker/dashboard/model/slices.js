/**
 * What the page may ask the worker for: the queries and the slices that answer them, each by its name.
 * Times are milliseconds since 1970 unless a chart says seconds; a text that stands for any JSON value is
 * cut where a
 * slice says so. A list's `total` is that of all rows that pass the query's filter, of which `rows` is the
 * window
 * from `offset`: that of the query, or less where the list ends before it would be full.
 */

/** @typedef {"login"|"connecting"|"ready"|"reconnecting"|"refused"|"closed"} Phase */
/** @typedef {{code: string, message: string}} Problem `code` is one of the protocol's errors. */
/** @typedef {{reason: string, from: string, to: string, dropped: number|null, atMs: number}} GapNote */
/** @typedef {{publish: boolean, call: boolean, observe: boolean, admin: boolean}} May */
/** @typedef {{topics: number, agents: number, tasks: number, swarms: number, clients: number|null}} Counts */

/**
 * @typedef {object} StatusQuery
 */
/**
 * @typedef {object} StatusSlice
 * @property {Phase} phase
 * @property {number} attempt  how many attempts in a row have failed
 * @property {number|null} retryAtMs  when the next attempt begins, while reconnecting
 * @property {Problem|null} error  why the page is not connected, or what the broker last refused
 * @property {{id: string, name: string, version: string, pid: number}|null} server
 * @property {{subject: string, expiresAtMs: number|null, publish: string[], subscribe: string[], call:
 *   string[]}|null} identity
 * @property {string|null} durability
 * @property {string|null} transport  `websocket` or `http`
 * @property {string|null} head  cursor of the newest event that the model has taken
 * @property {number} seen  events since the model began, those that conflation left out included
 * @property {number} rate  events a second
 * @property {GapNote[]} gaps  the last 20, newest first
 * @property {number} gapCount
 * @property {May} may
 * @property {Counts} counts
 * @property {Record<string, number>} dropped  kinds of things of which the oldest were forgotten, and how
 *   many
 * @property {number} conflateMs
 * @property {boolean} live  false while the last values are being read
 */

/**
 * @typedef {object} OverviewQuery
 */
/**
 * @typedef {object} Series
 * @property {number[]} t  seconds since 1970, rising
 * @property {(number|null)[]} publishes  a second
 * @property {(number|null)[]} deliveries  a second
 * @property {(number|null)[]} p50  of the latency of a publish, milliseconds
 * @property {(number|null)[]} p99
 * @property {(number|null)[]} connections
 * @property {(number|null)[]} errors  a second
 */
/**
 * @typedef {object} OverviewSlice
 * @property {Series|null} series  the last 15 minutes at most; null without the permission, or before the
 *   first answer
 * @property {string|null} denied  what permission is missing
 * @property {{t: number[], events: number[]}} seen  events a second that this page has seen; there without
 *   any permission
 * @property {number|null} roundTripMs
 * @property {Record<string, number>} gauges  the broker's gauges by their names
 * @property {{status: string, started: number, uptime: number, components: Record<string, string>}|null}
 *   daemon
 * @property {{topic: string, rate: number}[]} busiest  ten at most
 */

/**
 * @typedef {object} TopicsQuery
 * @property {string[]} open  paths of the opened rows
 * @property {string} [filter]  part of a topic, or a pattern with `*` or `#`; what matches is shown opened
 * @property {number} offset
 * @property {number} limit
 */
/**
 * @typedef {object} TopicRow
 * @property {string} path  the segments from the top, joined by `.`
 * @property {string} name  the last segment, as it stands in the topic
 * @property {number} depth  from 0
 * @property {boolean} isTopic  events were published on just this path
 * @property {number} kids  how many rows stand directly below
 * @property {boolean} isOpen
 * @property {number} rate  events a second, of all below too
 * @property {number} count  events since the model began, of all below too
 * @property {number|null} seq  of the last event on just this path
 * @property {number|null} tsMs
 * @property {string|null} preview  of its data, 200 characters at most
 */
/** @typedef {{total: number, offset: number, topics: number, rows: TopicRow[]}} TopicsSlice */

/** @typedef {{path: string|null}} TopicQuery */
/**
 * @typedef {object} TopicSlice  the last event of one topic; all but `topic` null where there is none
 * @property {string|null} topic
 * @property {number|null} seq
 * @property {number|null} tsMs
 * @property {string|null} from
 * @property {Record<string, string>|null} headers  one named `(cut)` where they were too heavy to be kept
 * @property {string|null} json  the data, 64 KiB at most, or a preview where it was too heavy to be kept
 * @property {boolean} isCut  `json` is only a beginning
 * @property {number|null} bytes  of the whole data as JSON
 * @property {number} rate
 * @property {number} count
 */

/** @typedef {"id"|"status"|"cpu"|"memory"|"since"|"ts"} AgentColumn */
/**
 * @typedef {object} AgentsQuery
 * @property {string} [filter]  part of an id or of a message
 * @property {string|null} [status]  only agents of this status
 * @property {string} [sort]  an AgentColumn, `-` before it for the other direction; default `id`
 * @property {number} offset
 * @property {number} limit
 * @property {string|null} [selected]  the id of which `detail` tells
 */
/**
 * @typedef {object} AgentRow
 * @property {string} id
 * @property {string} status  idle, busy, error, offline, or `unknown` before the first status
 * @property {string|null} message
 * @property {boolean|null} healthy
 * @property {number|null} cpu
 * @property {number|null} memory
 * @property {number|null} sinceMs  when it took this status
 * @property {number} tsMs  when something was last heard of it
 * @property {"online"|"suspect"|"gone"|null} being  its state in the registry; null: it never registered
 * @property {string[]} capabilities
 */
/**
 * @typedef {object} AgentDetail  the lists have 200 entries at most, oldest first
 * @property {string} id
 * @property {AgentRow} row
 * @property {{tsMs: number, status: string, message: string|null}[]} statuses
 * @property {{t: number[], cpu: (number|null)[], memory: (number|null)[], healthy: boolean[]}} health  `t`
 *   in seconds
 * @property {Record<string, number>|null} metrics
 * @property {{tsMs: number, level: string, message: string}[]} log
 * @property {string|null} metadata  JSON, 64 KiB at most
 */
/**
 * @typedef {{total: number, offset: number, byStatus: Record<string, number>, rows: AgentRow[],
 *   detail: AgentDetail|null}} AgentsSlice
 */

/** @typedef {"id"|"type"|"state"|"progress"|"agent"|"created"|"ended"} TaskColumn */
/**
 * @typedef {object} TasksQuery
 * @property {string} [filter]  part of an id, a type or an agent's id
 * @property {string|null} [state]
 * @property {string} [sort]  a TaskColumn, `-` before it for the other direction; default `-created`
 * @property {number} offset
 * @property {number} limit
 * @property {string|null} [selected]
 */
/**
 * @typedef {object} TaskRow
 * @property {string} id
 * @property {string|null} type
 * @property {string} state  pending, in-progress, completed, failed, cancelled, closed
 * @property {number|null} progress  0 to 100
 * @property {string|null} message
 * @property {string|null} agentId
 * @property {string|null} queue
 * @property {number|null} attempt
 * @property {number|null} createdMs
 * @property {number|null} startedMs
 * @property {number|null} endedMs
 * @property {string|null} error
 */
/**
 * @typedef {object} TaskDetail
 * @property {string} id
 * @property {TaskRow} row
 * @property {{tsMs: number, event: string, text: string}[]} timeline  200 at most, oldest first
 * @property {number|null} priority
 * @property {number|null} durationMs
 * @property {string|null} reason
 * @property {boolean} dead  it failed in its last attempt
 * @property {string|null} retriedFrom
 * @property {string|null} result  JSON, 64 KiB at most
 * @property {string|null} metadata  JSON, 64 KiB at most
 */
/**
 * @typedef {{name: string, status: string, pending: number, running: number, completed: number, failed:
 *   number, cancelled: number, closed: number, dead: number}} QueueRow
 */
/** @typedef {{total: number, active: number, idle: number, suspect: number}} Workers */
/**
 * @typedef {object} TasksSlice
 * @property {number} total
 * @property {number} offset
 * @property {Record<string, number>} byState
 * @property {TaskRow[]} rows
 * @property {TaskDetail|null} detail
 * @property {QueueRow[]|null} queues  null: not asked yet, or denied
 * @property {Workers|null} workers
 * @property {string|null} denied  what permission `queues` and `workers` lack
 */

/** @typedef {{selected: string|null}} SwarmsQuery */
/**
 * @typedef {object} SwarmRow
 * @property {string} id
 * @property {string|null} topology  mesh, hierarchical, hierarchical-mesh, adaptive
 * @property {number|null} agentCount
 * @property {number|null} activeAgents
 * @property {number|null} queueSize
 * @property {number|null} healthScore  0 to 100
 * @property {number} open  proposals and decisions that are not decided
 * @property {number} forgotten  how many were too many to be kept
 * @property {number} tsMs
 */
/**
 * @typedef {{agentId: string, role: string|null, status: string}} Member  `status` is the agent's, as in
 *   AgentRow
 */
/**
 * @typedef {object} Proposal
 * @property {string} id
 * @property {string} type  proposed, voting, accepted, rejected
 * @property {string} proposal  200 characters at most
 * @property {string|null} proposer
 * @property {string|null} quorum  in words: `majority`, `3 votes`, `40 %`
 * @property {string[]|null} voters  who may vote; null: anybody
 * @property {{voter: string, vote: string}[]} votes
 * @property {{accepted: boolean, votesFor: number, votesAgainst: number, abstentions: number}|null} result
 * @property {string|null} reason  votes, deadline, withdrawn
 * @property {number|null} deadlineMs
 * @property {number} tsMs
 * @property {boolean} hasEnded
 */
/**
 * @typedef {object} Decision
 * @property {string} id
 * @property {string} type  asked, decided, undecided
 * @property {string} question
 * @property {string[]} options
 * @property {string[]|null} voters
 * @property {{voter: string, option: string, confidence: number|null}[]} votes
 * @property {{selectedOption: string, confidence: number|null}|null} result
 * @property {string|null} reason
 * @property {number|null} deadlineMs
 * @property {number} tsMs
 * @property {boolean} hasEnded
 */
/**
 * @typedef {object} SwarmDetail
 * @property {string} id
 * @property {string|null} topology
 * @property {Member[]} members
 * @property {Proposal[]} proposals  50 at most, newest first
 * @property {Decision[]} decisions  50 at most, newest first
 * @property {{proposals: number, decisions: number}} forgotten  how many were too many to be kept
 * @property {{tsMs: number, event: string, text: string}[]} log  200 at most, oldest first
 */
/** @typedef {{rows: SwarmRow[], detail: SwarmDetail|null}} SwarmsSlice */

/**
 * @typedef {"name"|"kind"|"subject"|"transport"|"subscriptions"|"lag"|"queue_bytes"|"connected_at"}
 *   ClientColumn
 */
/**
 * @typedef {object} ClientsQuery
 * @property {string} [filter]  part of a name, a subject, a client id or an address
 * @property {string} [sort]  a ClientColumn, `-` before it for the other direction; default `name`
 * @property {number} offset
 * @property {number} limit
 * @property {string|null} [selected]  a client id
 */
/**
 * @typedef {object} ClientRow  as `client.list` says it
 * @property {string} client_id
 * @property {string} name
 * @property {string} [version]
 * @property {string} [kind]
 * @property {number} [pid]
 * @property {string} subject
 * @property {string} transport
 * @property {string} [address]
 * @property {number} subscriptions
 * @property {number|null} lag  events behind the head
 * @property {number} queue_bytes
 * @property {boolean} catching_up
 * @property {number} connected_at
 */
/** @typedef {{sub: string, pattern: string, mode: string, live: boolean}} SubscriptionRow */
/**
 * @typedef {ClientRow & {rows: SubscriptionRow[]|null}} ClientDetail  `rows`: its subscriptions, null until
 *   they came
 */
/**
 * @typedef {{denied: string|null, total: number, offset: number, all: number, rows: ClientRow[],
 *   detail: ClientDetail|null}} ClientsSlice
 */

/**
 * @typedef {object} TailQuery
 * @property {string} pattern
 * @property {boolean} paused
 * @property {"conflated"|"every"} mode
 * @property {string|null} jump  a cursor: shows the log behind it instead of what comes live
 * @property {number} limit
 * @property {number} [offset]  newest rows to leave out, for who scrolls back; default 0
 */
/**
 * @typedef {object} TailEvent
 * @property {number} key  another for each row
 * @property {null} gap
 * @property {number|null} seq  null: ephemeral
 * @property {number} tsMs
 * @property {string} topic
 * @property {string|null} from
 * @property {number} skipped
 * @property {string} preview  200 characters at most
 * @property {string} json  16 KiB at most
 * @property {boolean} isCut  `json` is only a beginning
 */
/**
 * @typedef {{key: number, gap: string, from: string, to: string, dropped: number|null, tsMs: number}}
 *   TailGap
 */
/**
 * @typedef {object} TailSlice
 * @property {Problem|null} error  a pattern that is none, a jump that failed
 * @property {(TailEvent|TailGap)[]} rows  oldest first
 * @property {number} total  rows that are kept, of which `rows` shows the window that `offset` and `limit`
 *   ask for
 * @property {string|null} position  the cursor up to which rows were read
 * @property {boolean} more  there are events behind the last row (jump only)
 * @property {string|null} older  the cursor to jump to for the page before, null where there is none
 * @property {string|null} newer  the cursor to jump to for the next page, null where there is none
 * @property {number} held  events that came since it was paused
 * @property {boolean} loading
 */

/**
 * @typedef {object} Queries
 * @property {StatusQuery} status
 * @property {OverviewQuery} overview
 * @property {TopicsQuery} topics
 * @property {TopicQuery} topic
 * @property {AgentsQuery} agents
 * @property {TasksQuery} tasks
 * @property {SwarmsQuery} swarms
 * @property {ClientsQuery} clients
 * @property {TailQuery} tail
 */
/**
 * @typedef {object} Slices
 * @property {StatusSlice} status
 * @property {OverviewSlice} overview
 * @property {TopicsSlice} topics
 * @property {TopicSlice} topic
 * @property {AgentsSlice} agents
 * @property {TasksSlice} tasks
 * @property {SwarmsSlice} swarms
 * @property {ClientsSlice} clients
 * @property {TailSlice} tail
 */
/** @typedef {keyof Slices} SliceName */

export {};
