// Tests of the native kernel without Python, so that they can run under AddressSanitizer,
// UndefinedBehaviorSanitizer and ThreadSanitizer (test_native_kernel.py).
//
//     kernel_test [NAME...]     run the tests with these names, or all of them; 1 if anything failed

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "kernel_case.hpp"

using namespace lucastra::testing;

int main(int count, char** arguments) {
    const std::vector<std::string> names(arguments + 1, arguments + count);
    for (const std::vector<Test>& tests : {simd_tests(), rows_tests(), graph_tests()}) {
        for (const Test& test : tests) {
            if (!names.empty() && std::find(names.begin(), names.end(), test.name) == names.end()) continue;
            const int before = failures;
            try {
                test.run();
            } catch (const std::exception& error) {
                std::fprintf(stderr, "unexpected error: %s\n", error.what());
                ++failures;
            }
            std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
            std::fflush(stdout);
        }
    }
    return failures == 0 ? 0 : 1;
}
