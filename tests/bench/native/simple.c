/* The simple system of the benchmark, by the kernel's algorithm, in C: what a compiler makes of it by itself.
 *
 * A tree of minima over the sources of occurrences (replicas, rings of queue deadlines, probes; arrivals of the load
 * come in order), calls and requests in pools, FIFO queues as linked lists, a heap of (goal, seq) in each replica, an
 * agenda of consequences, log-linear histograms written sparsely each second. Asynchronous edges, random picks or
 * fewest outstanding calls. docs/explanation/data-plane.md says what happens; tests/bench/native checks that it does. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t i64;
typedef uint64_t u64;

#define INF ((i64)1 << 62)
#define BITS 6
#define LEAVES (1 << BITS)
#define BINS (57 * 128)
#define BLOCKS (BINS / 64)
#define SECOND 1000000000LL
#define OK 0
#define QUEUE_TIMEOUT 8
enum { START_NEXT, RESULT };

typedef struct { /* the same fields in tests/bench/native/__init__.py */
    i64 stations, replicas, classes, until, load_n, script_n;
    const i64 *slots, *patience, *first, *places, *least, *arrivals, *script, *listed;
    const double *scale, *sigma;
    const u64 *work_key, *pick_key;
    const i64 *phase, *spacing, *chain, *writes, *entry;
    u64 client_key;
    i64 clients;
    i64 *finished, *rows, finished_n, rows_n, events, bins_n, client_sum;
} Run;

typedef struct { i64 goal, seq; int call; } Job;
typedef struct { i64 seq, issued, accepted; int request, parent, next, replica, station, edge, queued; } Call;
typedef struct { i64 index, intended; int kind, next; } Request;
typedef struct { i64 deadline, seq; int call; } Entry;
typedef struct { i64 ok, failed, sent, attempts; int station, busy, waiting, head, tail, working; Job *jobs; } Replica;
typedef struct { Entry *entries; i64 mask, head, tail; } Ring;
typedef struct { int what, a, b; } Agenda;

typedef struct {
    Run *run;
    i64 seq, now, wal, second_end, arrived, arrival_key, bins_room, events;
    i64 tree[2 * LEAVES];
    Replica *replica;
    int *listed, *listed_n; /* replicas of a station in its endpoints */
    i64 *outstanding, *next_probe;
    Ring *ring;
    Call *call;
    Request *request;
    int call_n, request_n, free_call, free_request, agenda_head, agenda_tail;
    Agenda agenda[1 << 16];
    int32_t *cells;
    uint8_t *marks;
    i64 *bins, *last, edge[6];
} World;

/* --- draws: sim/data/draws.py */

static inline u64 bits(u64 key, i64 n) {
    u64 z = key + (u64)(n + 1) * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

static inline double uniform(u64 key, i64 n) { return ((double)(bits(key, n) >> 12) + 0.5) * (1.0 / 4503599627370496.0); }

static inline double ratio(double r, const double *a, const double *b) {
    double num = a[0], den = b[0];
    for (int i = 1; i < 8; i++) { num = num * r + a[i]; den = den * r + b[i]; }
    return num / den;
}

static inline double normal_quantile(double p) {
    static const double a[] = {2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
                               4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
                               1.3314166789178437745e2, 3.3871328727963666080e0};
    static const double b[] = {5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
                               2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
                               4.2313330701600911252e1, 1.0};
    static const double c[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                               1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
                               4.63033784615654529590e0, 1.42343711074968357734e0};
    static const double d[] = {1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
                               1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
                               2.05319162663775882187e0, 1.0};
    static const double e[] = {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                               2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
                               5.46378491116411436990e0, 6.65790464350110377720e0};
    static const double f[] = {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                               7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                               5.99832206555887937690e-1, 1.0};
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q, num = a[0], den = b[0];
        for (int i = 1; i < 8; i++) { num = num * r + a[i]; den = den * r + b[i]; }
        return q * num / den;
    }
    double r = sqrt(-log(q < 0.0 ? p : 1.0 - p));
    double x = r <= 5.0 ? ratio(r - 1.6, c, d) : ratio(r - 5.0, e, f);
    return q < 0.0 ? -x : x;
}

/* --- the tree of next occurrences: (time, source) packed */

static inline void set_next(World *w, int source, i64 t) {
    i64 key = t < (INF >> BITS) ? (t << BITS) | source : INF;
    int at = LEAVES + source;
    w->tree[at] = key;
    while (at > 1) {
        i64 other = w->tree[at ^ 1];
        key = key < other ? key : other;
        at >>= 1;
        w->tree[at] = key;
    }
}

static inline void set_arrival(World *w) {
    Run *run = w->run;
    int source = (int)(run->replicas + run->stations);
    w->arrival_key = w->arrived < run->load_n ? (run->arrivals[w->arrived] << BITS) | source : INF;
}

static inline void agenda_add(World *w, int what, int a, int b) { w->agenda[w->agenda_tail++] = (Agenda){what, a, b}; }

/* --- what comes out */

static inline void record(World *w, int station, int which, i64 v) {
    int shift = 56 - __builtin_clzll((u64)v | 128);
    i64 bin = ((i64)shift << 7) + (v >> shift), row = station * 3 + which;
    w->cells[row * BINS + bin]++;
    w->marks[row * BLOCKS + (bin >> 6)] = 1;
}

static void flush_second(World *w) {
    Run *run = w->run;
    for (i64 s = 0; s < run->stations; s++) {
        i64 sums[4] = {0, 0, 0, 0};
        for (i64 r = run->first[s]; r < run->first[s] + run->places[s]; r++) {
            sums[0] += w->replica[r].sent, sums[1] += w->replica[r].ok;
            sums[2] += w->replica[r].failed, sums[3] += w->replica[r].attempts;
        }
        memcpy(w->last + s * 4, sums, sizeof sums);
    }
    for (i64 block = 0; block < (run->stations + 1) * 3 * BLOCKS; block++) {
        if (!w->marks[block]) continue;
        w->marks[block] = 0;
        if (run->bins_n + 64 > w->bins_room) w->bins = realloc(w->bins, 16 * (w->bins_room = 2 * w->bins_room + 64));
        for (int i = 0; i < 64; i++) {
            int32_t n = w->cells[block * 64 + i];
            if (!n) continue;
            w->bins[2 * run->bins_n] = block * 64 + i;
            w->bins[2 * run->bins_n++ + 1] = n;
            w->cells[block * 64 + i] = 0;
        }
    }
    memset(w->edge, 0, sizeof w->edge);
    w->second_end += SECOND;
}

/* --- replicas */

static inline int below(const Job *a, const Job *b) { return a->goal < b->goal || (a->goal == b->goal && a->seq < b->seq); }

static inline void start(World *w, int c, int r, i64 t) {
    Run *run = w->run;
    Replica *replica = &w->replica[r];
    Call *call = &w->call[c];
    Request *request = &w->request[call->request];
    int s = replica->station;
    double z = normal_quantile(uniform(run->work_key[request->kind * run->stations + s], request->index));
    i64 work = (i64)(run->scale[s] * exp(run->sigma[s] * z));
    Job job = {t + (work > 1 ? work : 1), call->seq, c};
    int at = replica->working++;
    replica->busy++;
    call->queued = 0;
    for (; at > 0 && below(&job, &replica->jobs[(at - 1) / 2]); at = (at - 1) / 2) replica->jobs[at] = replica->jobs[(at - 1) / 2];
    replica->jobs[at] = job;
    if (at == 0) set_next(w, r, job.goal);
}

static inline int take(World *w, int r) {
    Replica *replica = &w->replica[r];
    int c = replica->jobs[0].call, n = --replica->working, at = 0;
    Job job = replica->jobs[n];
    while (2 * at + 1 < n) {
        int child = 2 * at + 1;
        if (child + 1 < n && below(&replica->jobs[child + 1], &replica->jobs[child])) child++;
        if (!below(&replica->jobs[child], &job)) break;
        replica->jobs[at] = replica->jobs[child];
        at = child;
    }
    replica->jobs[at] = job;
    set_next(w, r, n ? replica->jobs[0].goal : INF);
    return c;
}

static inline void issue(World *w, int e, int s, int q, int parent, i64 t) {
    Run *run = w->run;
    int c = w->free_call;
    if (c < 0) {
        w->call = realloc(w->call, sizeof(Call) * (size_t)(w->call_n *= 2));
        for (int i = w->call_n / 2; i < w->call_n; i++) w->call[i].next = i + 1 < w->call_n ? i + 1 : -1;
        c = w->call_n / 2;
    }
    Call *call = &w->call[c];
    w->free_call = call->next;
    Request *request = &w->request[q];
    int m = w->listed_n[s], *listed = w->listed + run->first[s], r = listed[0];
    if (run->least[e]) {
        for (int i = 1; i < m; i++)
            if (w->outstanding[e * run->replicas + listed[i]] < w->outstanding[e * run->replicas + r]) r = listed[i];
        w->outstanding[e * run->replicas + r]++;
    } else {
        int i = (int)(uniform(run->pick_key[request->kind * run->stations + e], 2 * request->index) * m);
        r = listed[i < m ? i : m - 1];
    }
    *call = (Call){w->seq++, t, t, q, parent, -1, r, s, e, 0};
    Replica *replica = &w->replica[r];
    replica->attempts++;
    replica->sent++;
    if (replica->busy < run->slots[s]) {
        start(w, c, r, t);
        return;
    }
    if (replica->waiting++) w->call[replica->tail].next = c;
    else replica->head = c;
    replica->tail = c;
    call->queued = 1;
    if (run->patience[s]) {
        Ring *ring = &w->ring[s];
        if (ring->head == ring->tail) set_next(w, (int)run->replicas + s, t + run->patience[s]);
        ring->entries[ring->tail++ & ring->mask] = (Entry){t + run->patience[s], call->seq, c};
    }
}

static inline void over(World *w, Call *call) {
    if (w->run->least[call->edge]) w->outstanding[call->edge * w->run->replicas + call->replica]--;
}

static void own_done(World *w, int r, i64 t) {
    Run *run = w->run;
    Replica *replica = &w->replica[r];
    int c = take(w, r), s = replica->station, q = w->call[c].request;
    record(w, s, 0, t - w->call[c].accepted);
    over(w, &w->call[c]);
    replica->busy--;
    replica->ok++;
    agenda_add(w, START_NEXT, r, 0);
    Request *request = &w->request[q];
    if (s + 1 < run->stations && run->chain[request->kind]) {
        issue(w, s + 1, s + 1, q, c, t);
        return;
    }
    if (s + 1 == run->stations && run->writes[request->kind]) {
        i64 *row = run->rows + 4 * run->rows_n++;
        row[0] = request->kind ? -1 - ((i64)request->kind << 40) - request->index : request->index;
        row[1] = 0, row[2] = ++w->wal, row[3] = t;
    }
    agenda_add(w, RESULT, c, OK);
}

static inline void result(World *w, int c, int status, i64 t) {
    Run *run = w->run;
    Call *call = &w->call[c];
    record(w, call->station, 1, t - call->issued);
    int parent = call->parent, q = call->request;
    call->next = w->free_call;
    call->seq = -1;
    w->free_call = c;
    if (parent >= 0) {
        agenda_add(w, RESULT, parent, status);
        return;
    }
    Request *request = &w->request[q];
    if (request->kind == 0) {
        i64 *row = run->finished + 6 * run->finished_n++;
        row[0] = request->index, row[1] = request->intended, row[2] = t, row[3] = status == OK ? 1 : 2, row[4] = status, row[5] = 1;
        w->edge[status == OK ? 2 : 3]++;
        if (status == OK) record(w, (int)run->stations, 2, t - request->intended);
    }
    request->next = w->free_request;
    w->free_request = q;
}

static void run_agenda(World *w, i64 t) {
    for (; w->agenda_head < w->agenda_tail; w->agenda_head++) {
        Agenda entry = w->agenda[w->agenda_head];
        if (entry.what == RESULT) {
            result(w, entry.a, entry.b, t);
            continue;
        }
        Replica *replica = &w->replica[entry.a];
        while (replica->waiting && replica->busy < w->run->slots[replica->station]) {
            int c = replica->head;
            replica->head = w->call[c].next;
            replica->waiting--;
            start(w, c, entry.a, t);
        }
    }
    w->agenda_head = w->agenda_tail = 0;
}

static void ring_occurs(World *w, int s, i64 t) {
    Ring *ring = &w->ring[s];
    while (ring->head < ring->tail) {
        Entry *entry = &ring->entries[ring->head & ring->mask];
        Call *call = &w->call[entry->call];
        int alive = call->seq == entry->seq && call->queued;
        if (alive && entry->deadline > t) break;
        ring->head++;
        if (!alive) continue;
        Replica *replica = &w->replica[call->replica]; /* one patience a station: the head of the queue */
        replica->head = call->next;
        replica->waiting--;
        replica->failed++;
        call->queued = 0;
        over(w, call);
        agenda_add(w, RESULT, entry->call, QUEUE_TIMEOUT);
        w->events++;
        break;
    }
    set_next(w, (int)w->run->replicas + s, ring->head < ring->tail ? ring->entries[ring->head & ring->mask].deadline : INF);
}

static void arrive(World *w, int kind, i64 index, i64 t) {
    Run *run = w->run;
    int q = w->free_request;
    if (q < 0) {
        w->request = realloc(w->request, sizeof(Request) * (size_t)(w->request_n *= 2));
        for (int i = w->request_n / 2; i < w->request_n; i++) w->request[i].next = i + 1 < w->request_n ? i + 1 : -1;
        q = w->request_n / 2;
    }
    w->free_request = w->request[q].next;
    w->request[q] = (Request){index, t, kind, -1};
    if (kind == 0) {
        w->edge[0]++, w->edge[1]++, w->edge[5]++;
        run->client_sum += (i64)(uniform(run->client_key, index) * (double)run->clients);
    }
    issue(w, 0, (int)run->entry[kind], q, -1, t);
}

static void list_replica(World *w, i64 r, i64 on) {
    Run *run = w->run;
    int s = w->replica[r].station, n = 0, *listed = w->listed + run->first[s], was[64];
    int count = w->listed_n[s];
    memcpy(was, listed, sizeof(int) * (size_t)count);
    for (i64 other = run->first[s]; other < run->first[s] + run->places[s]; other++) {
        int in = 0;
        for (int i = 0; i < count; i++) in |= was[i] == other;
        if (other == r ? on : in) listed[n++] = (int)other;
    }
    w->listed_n[s] = n;
}

static void advance(World *w, i64 horizon) {
    Run *run = w->run;
    int rings = (int)run->replicas, load = rings + (int)run->stations;
    for (;;) {
        i64 key = w->tree[1] < w->arrival_key ? w->tree[1] : w->arrival_key;
        i64 t = key >> BITS;
        if (t >= w->second_end && horizon >= w->second_end) {
            flush_second(w);
            continue;
        }
        if (t >= horizon) return;
        int source = (int)(key & (LEAVES - 1));
        w->now = t;
        if (source < rings) own_done(w, source, t), w->events++;
        else if (source < load) ring_occurs(w, source - rings, t);
        else {
            w->events++;
            int kind = source - load;
            i64 index = kind ? w->next_probe[kind]++ : w->arrived++;
            if (kind) set_next(w, source, run->phase[kind] + (index + 1) * run->spacing[kind]);
            else set_arrival(w);
            arrive(w, kind, index, t);
        }
        run_agenda(w, t);
    }
}

/* Play a run; 1 when it has more sources of occurrences than the tree has leaves. */
int simple_play(Run *run) {
    if (run->replicas + run->stations + run->classes > LEAVES) return 1;
    World *w = calloc(1, sizeof(World));
    w->run = run;
    w->second_end = SECOND;
    for (int i = 0; i < 2 * LEAVES; i++) w->tree[i] = INF;
    w->replica = calloc((size_t)run->replicas, sizeof(Replica));
    w->listed = calloc((size_t)run->replicas, sizeof(int));
    w->listed_n = calloc((size_t)run->stations, sizeof(int));
    w->outstanding = calloc((size_t)(run->stations * run->replicas), sizeof(i64));
    w->next_probe = calloc((size_t)run->classes, sizeof(i64));
    w->ring = calloc((size_t)run->stations, sizeof(Ring));
    w->last = calloc((size_t)run->stations * 4, sizeof(i64));
    for (i64 s = 0; s < run->stations; s++) {
        w->ring[s] = (Ring){malloc(sizeof(Entry) << 16), (1 << 16) - 1, 0, 0};
        for (i64 r = run->first[s]; r < run->first[s] + run->places[s]; r++) {
            w->replica[r].station = (int)s;
            w->replica[r].jobs = calloc((size_t)run->slots[s] + 1, sizeof(Job));
            if (run->listed[r]) w->listed[run->first[s] + w->listed_n[s]++] = (int)r;
        }
    }
    w->call_n = w->request_n = 1 << 12;
    w->call = malloc(sizeof(Call) << 12);
    w->request = malloc(sizeof(Request) << 12);
    for (int i = 0; i < 1 << 12; i++) w->call[i].next = w->request[i].next = i + 1 < 1 << 12 ? i + 1 : -1;
    w->cells = calloc((size_t)(run->stations + 1) * 3 * BINS, sizeof(int32_t));
    w->marks = calloc((size_t)(run->stations + 1) * 3 * BLOCKS, 1);
    for (int kind = 1; kind < run->classes; kind++) set_next(w, (int)(run->replicas + run->stations) + kind, run->phase[kind]);
    set_arrival(w);
    for (i64 i = 0; i < run->script_n; i++) {
        advance(w, run->script[3 * i]);
        list_replica(w, run->script[3 * i + 1], run->script[3 * i + 2]);
    }
    advance(w, run->until);
    run->events = w->events;
    for (i64 s = 0; s < run->stations; s++) free(w->ring[s].entries);
    for (i64 r = 0; r < run->replicas; r++) free(w->replica[r].jobs);
    free(w->replica), free(w->listed), free(w->listed_n), free(w->outstanding), free(w->next_probe), free(w->ring);
    free(w->last), free(w->call), free(w->request), free(w->cells), free(w->marks), free(w->bins), free(w);
    return 0;
}
