// What Vulkan costs the application that calls it, case by case:
// bench [--list] [--only REGEX] [--seconds S] [--json] [--server PID]
//
// The program knows nothing of what is below it. scripts/bench runs it natively and through
// Viaduct, and divides. Numbers of one run alone say little about another machine, or another day.
#include "bench.h"

#include <getopt.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct suite *const suites[] = {
    &suite_draw,   &suite_descriptor, &suite_transfer, &suite_pass,
    &suite_submit, &suite_memory,     &suite_object,   &suite_thread,
};

static struct {
    bool list;
    bool json;
    double seconds;
    int server; // whose workers' processor time is counted; 0: nobody's
    regex_t only;
} options = {.seconds = 0.5};

static void usage(FILE *file)
{
    fputs("usage: bench [options]\n"
          "\n"
          "  --list         the names, groups and units of the cases\n"
          "  --only REGEX   only cases whose name it matches\n"
          "  --seconds S    that each case is measured (0.5)\n"
          "  --json         one object per line and case\n"
          "  --server PID   also the processor time of the processes below this one\n",
          file);
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},
        {"list", no_argument, NULL, 'l'},
        {"only", required_argument, NULL, 'o'},
        {"seconds", required_argument, NULL, 's'},
        {"server", required_argument, NULL, 'p'},
        {0},
    };
    const char *only = "";
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'h':
            usage(stdout);
            exit(0);
        case 'j':
            options.json = true;
            break;
        case 'l':
            options.list = true;
            break;
        case 'o':
            only = optarg;
            break;
        case 's':
            options.seconds = atof(optarg);
            break;
        case 'p':
            options.server = atoi(optarg);
            break;
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (optind != argc || options.seconds <= 0) {
        usage(stderr);
        exit(2);
    }
    expect(regcomp(&options.only, only, REG_EXTENDED | REG_NOSUB) == 0,
           "%s is not a regular expression", only);
}

// A case is run as it is, and, if it records, once more without submissions.
struct variant {
    const struct bench_case *bench_case;
    bool submits;
    char name[64];
    char group[64];
};

static bool variant_init(struct variant *variant, const struct bench_case *bench_case, bool submits)
{
    if (!submits && !bench_case->record)
        return false;
    *variant = (struct variant){.bench_case = bench_case, .submits = submits};
    snprintf(variant->name, sizeof(variant->name), "%s%s", submits ? "" : "record_",
             bench_case->name);
    snprintf(variant->group, sizeof(variant->group), "%s%s", submits ? "" : "record ",
             bench_case->group);
    return regexec(&options.only, variant->name, 0, NULL, 0) == 0;
}

static void print_time(double ns)
{
    if (ns < 1e4)
        printf("%9.1f ns", ns);
    else if (ns < 1e7)
        printf("%9.1f us", ns / 1e3);
    else
        printf("%9.1f ms", ns / 1e6);
}

static void print_text(const struct variant *variant, const struct result *result)
{
    printf("%-30s ", variant->name);
    print_time(result->ns);
    printf("  per %-20s", variant->bench_case->unit);
    if (variant->bench_case->bytes)
        printf(" %8.2f GB/s", (double)variant->bench_case->bytes / result->ns);
    else
        printf(" %10.0f /s", 1e9 / result->ns);
    if (variant->bench_case->once) {
        printf("  p50");
        print_time(result->p50);
        printf("  p99");
        print_time(result->p99);
    }
    if (variant->bench_case->record) {
        printf("  recording");
        print_time(result->record_ns);
    }
    if (options.server) {
        printf("  server");
        print_time(result->server_ns);
    }
    putchar('\n');
}

static void print_json(const struct variant *variant, const struct result *result)
{
    printf("{\"name\": \"%s\", \"group\": \"%s\", \"unit\": \"%s\", \"ns\": %.3f, "
           "\"cpu_ns\": %.3f, \"operations\": %ju",
           variant->name, variant->group, variant->bench_case->unit, result->ns, result->cpu_ns,
           (uintmax_t)result->operations);
    if (variant->bench_case->bytes)
        printf(", \"bytes\": %ju", (uintmax_t)variant->bench_case->bytes);
    if (variant->bench_case->once)
        printf(", \"p50\": %.3f, \"p99\": %.3f", result->p50, result->p99);
    if (variant->bench_case->record)
        printf(", \"record_ns\": %.3f", result->record_ns);
    if (options.server)
        printf(", \"server_ns\": %.3f", result->server_ns);
    printf("}\n");
}

static void run(const struct variant *variant)
{
    const char *reason = variant->bench_case->missing ? variant->bench_case->missing() : NULL;
    if (reason && options.json) {
        printf("{\"name\": \"%s\", \"group\": \"%s\", \"unit\": \"%s\", \"skipped\": \"%s\"}\n",
               variant->name, variant->group, variant->bench_case->unit, reason);
    } else if (reason) {
        printf("%-30s skipped: %s\n", variant->name, reason);
    } else {
        struct result result;
        measure(variant->bench_case, variant->submits, options.seconds, options.server, &result);
        if (options.json)
            print_json(variant, &result);
        else
            print_text(variant, &result);
    }
    // Who reads this wants to know how far it came if it ends early.
    fflush(stdout);
}

static void list(void)
{
    struct variant variant;
    for (size_t i = 0; i < ARRAY_SIZE(suites); i++) {
        for (int submits = 1; submits >= 0; submits--) {
            for (size_t j = 0; j < suites[i]->case_count; j++)
                if (variant_init(&variant, &suites[i]->cases[j], submits))
                    printf("%s\t%s\t%s\n", variant.name, variant.group, variant.bench_case->unit);
        }
    }
}

static void run_suite(const struct suite *suite)
{
    struct variant variant;
    bool ready = false;
    for (int submits = 1; submits >= 0; submits--) {
        for (size_t i = 0; i < suite->case_count; i++) {
            if (!variant_init(&variant, &suite->cases[i], submits))
                continue;
            if (!ready && suite->init)
                suite->init();
            ready = true;
            run(&variant);
        }
    }
    if (ready && suite->finish)
        suite->finish();
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    if (options.list) {
        list();
    } else {
        bench_gpu_init();
        stage_init();
        if (!options.json)
            printf("%s\n", gpu.properties.deviceName);
        for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
            run_suite(suites[i]);
        stage_finish();
        bench_gpu_finish();
    }
    regfree(&options.only);
    return 0;
}
