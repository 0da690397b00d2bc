// The Python module: arguments are checked here, the GIL is released here, and nothing is decided here.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

#include "crc32c.hpp"
#include "graph.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace lucastra;

namespace {

template <typename T, std::size_t N>
using Input = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Output = nb::ndarray<nb::numpy, T>;
using MaybeBitmap = std::optional<Input<std::uint64_t, 1>>;

void expect(bool holds, const char* message) {
    if (!holds) throw std::invalid_argument(message);
}

void expect_query(const Input<float, 1>& query, const Rows& rows) {
    expect(query.shape(0) == rows.dimensions(), "the query's length is not that of the rows");
}

Eligible eligible_of(const MaybeBitmap& bitmap) {
    return bitmap ? Eligible(bitmap->data(), bitmap->shape(0)) : Eligible();
}

// An array that owns its values.
template <typename T>
nb::object array(std::vector<T> values, std::initializer_list<std::size_t> shape) {
    auto* owned = new std::vector<T>(std::move(values));
    nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::cast(Output<T>(owned->data(), shape, owner));
}

nb::tuple result(Hits hits) {
    const std::size_t count = hits.rows.size();
    return nb::make_tuple(array(std::move(hits.rows), {count}), array(std::move(hits.scores), {count}));
}

constexpr std::size_t kMaxBatchResults = std::size_t{1} << 32;

// `one(i)` for each query, on so many threads; the first error ends it.
template <typename One>
nb::tuple batch(std::size_t queries, std::size_t limit, std::size_t threads, One one) {
    expect(limit <= kMaxBatchResults / std::max<std::size_t>(queries, 1), "limit is too large");
    std::vector<std::uint32_t> rows(queries * limit, kNone);
    std::vector<float> scores(queries * limit, -std::numeric_limits<float>::infinity());
    {
        nb::gil_scoped_release released;
        std::atomic<std::size_t> next{0};
        std::exception_ptr error;
        std::mutex error_lock;
        const auto work = [&] {
            try {
                for (std::size_t i; (i = next.fetch_add(1)) < queries;) {
                    const Hits hits = one(i);
                    std::copy(hits.rows.begin(), hits.rows.end(),
                              rows.begin() + static_cast<std::ptrdiff_t>(i * limit));
                    std::copy(hits.scores.begin(), hits.scores.end(),
                              scores.begin() + static_cast<std::ptrdiff_t>(i * limit));
                }
            } catch (...) {
                const std::lock_guard guard(error_lock);
                error = std::current_exception();
                next = queries;
            }
        };
        std::vector<std::thread> helpers;
        threads = std::min<std::size_t>({threads, queries, std::max(1u, std::thread::hardware_concurrency())});
        try {
            for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back(work);
        } catch (const std::system_error&) {
            // No more threads are to be had: those that are there do it all.
        }
        work();
        for (std::thread& helper : helpers) helper.join();
        if (error) std::rethrow_exception(error);
    }
    return nb::make_tuple(array(std::move(rows), {queries, limit}), array(std::move(scores), {queries, limit}));
}

std::vector<std::string> level_names() {
    std::vector<std::string> names;
    for (const Simd* level : simd_levels()) names.emplace_back(level->name);
    return names;
}

}  // namespace

NB_MODULE(_kernel, m) {
    nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
        try {
            std::rethrow_exception(pointer);
        } catch (const std::system_error& error) {
            PyErr_SetObject(PyExc_OSError, nb::make_tuple(error.code().value(), error.what()).ptr());
        }
    });
    m.attr("NONE") = kNone;
    m.def("cpu_levels", level_names);
    m.def("cpu_level", [] { return std::string(simd().name); });
    m.def(
        "set_cpu_level",
        [](const std::string& name) {
            expect(set_simd(name), "this machine has no such instruction set: see cpu_levels()");
        },
        "name"_a);
    m.def(
        "crc32c",
        [](const nb::object& data, std::uint32_t seed) {
            Py_buffer view;
            if (PyObject_GetBuffer(data.ptr(), &view, PyBUF_SIMPLE) != 0) throw nb::python_error();
            std::uint32_t crc;
            {
                nb::gil_scoped_release released;
                crc = crc32c(view.buf, static_cast<std::size_t>(view.len), seed);
            }
            PyBuffer_Release(&view);
            return crc;
        },
        "data"_a, "seed"_a = 0);

    nb::class_<Rows>(m, "Rows")
        .def(nb::init<std::size_t, std::size_t>(), "dimensions"_a, "capacity"_a)
        .def("map_vectors", &Rows::map_vectors, "descriptor"_a, "offset"_a, "stride"_a)
        .def(
            "append",
            [](Rows& self, const Input<float, 2>& vectors, const std::optional<Input<bool, 1>>& alive) {
                expect(vectors.shape(1) == self.dimensions(), "the vectors' length is not that of the rows");
                expect(!alive || alive->shape(0) == vectors.shape(0), "there must be one flag for each vector");
                const nb::gil_scoped_release released;
                self.append(vectors.data(), alive ? alive->data() : nullptr, vectors.shape(0));
            },
            "vectors"_a.noconvert(), "alive"_a.noconvert() = nb::none())
        .def(
            "kill",
            [](Rows& self, const Input<std::uint32_t, 1>& rows) {
                const nb::gil_scoped_release released;
                return self.kill({rows.data(), rows.shape(0)});
            },
            "rows"_a.noconvert())
        .def_prop_ro("dimensions", &Rows::dimensions)
        .def_prop_ro("alive", &Rows::alive)
        .def("alive_mask",
             [](const Rows& self) {
                 const std::size_t size = self.size();
                 auto* mask = new bool[std::max<std::size_t>(size, 1)];
                 nb::capsule owner(mask, [](void* p) noexcept { delete[] static_cast<bool*>(p); });
                 for (std::size_t row = 0; row < size; ++row)
                     mask[row] = self.is_alive(static_cast<std::uint32_t>(row));
                 return Output<bool>(mask, {size}, owner);
             })
        .def_prop_ro("memory_bytes", &Rows::memory_bytes)
        .def(
            "vector",
            [](const Rows& self, std::size_t row) {
                if (row >= self.size()) throw nb::index_error("there is no such row");
                expect(self.has_vectors(), "these rows have no float32 vectors");
                const float* at = self.vector(static_cast<std::uint32_t>(row));
                return array(std::vector<float>(at, at + self.dimensions()), {self.dimensions()});
            },
            "row"_a)
        .def(
            "scan",
            [](const Rows& self, const Input<float, 1>& query, std::size_t limit, const MaybeBitmap& eligible,
               std::size_t sign_candidates) {
                expect_query(query, self);
                Hits hits;
                {
                    const nb::gil_scoped_release released;
                    hits = self.scan(query.data(), limit, eligible_of(eligible), sign_candidates);
                }
                return result(std::move(hits));
            },
            "query"_a.noconvert(), "limit"_a, nb::kw_only(), "eligible"_a.noconvert() = nb::none(),
            "sign_candidates"_a = 0)
        .def(
            "scan_rows",
            [](const Rows& self, const Input<float, 1>& query, std::size_t limit, const Input<std::uint32_t, 1>& rows) {
                expect_query(query, self);
                Hits hits;
                {
                    const nb::gil_scoped_release released;
                    hits = self.scan_rows(query.data(), limit, {rows.data(), rows.shape(0)});
                }
                return result(std::move(hits));
            },
            "query"_a.noconvert(), "limit"_a, "rows"_a.noconvert())
        .def(
            "scan_batch",
            [](const Rows& self, const Input<float, 2>& queries, std::size_t limit, std::size_t threads) {
                expect(queries.shape(1) == self.dimensions(), "the queries' length is not that of the rows");
                return batch(queries.shape(0), limit, threads, [&](std::size_t i) {
                    return self.scan(queries.data() + i * self.dimensions(), limit, {}, 0);
                });
            },
            "queries"_a.noconvert(), "limit"_a, nb::kw_only(), "threads"_a = 1)
        .def("__len__", &Rows::size);

    nb::class_<Graph>(m, "Graph")
        .def(nb::init<std::shared_ptr<Rows>, std::size_t, std::size_t>(), "rows"_a, nb::kw_only(), "m"_a = 16,
             "ef_construction"_a = 200)
        .def_static("open", &Graph::open, "path"_a, "vectors"_a, "offset"_a, "stride"_a, nb::kw_only(), "verify"_a,
                    nb::call_guard<nb::gil_scoped_release>())
        .def("insert", &Graph::insert, "count"_a, nb::call_guard<nb::gil_scoped_release>())
        .def(
            "save",
            [](const Graph& self, const std::string& path, const Input<std::int64_t, 1>& ids) {
                expect(ids.shape(0) == self.size(), "there must be one id for each row");
                const nb::gil_scoped_release released;
                self.save(path, ids.data());
            },
            "path"_a, "ids"_a.noconvert())
        .def("verify", &Graph::verify, nb::call_guard<nb::gil_scoped_release>())
        .def_prop_ro("rows", &Graph::rows)
        .def_prop_ro("ids",
                     [](const nb::object& self) {
                         const auto& graph = nb::cast<const Graph&>(self);
                         expect(graph.ids() != nullptr, "only an opened graph has ids");
                         return nb::ndarray<nb::numpy, const std::int64_t>(graph.ids(), {graph.size()}, self);
                     })
        .def(
            "search",
            [](const Graph& self, const Input<float, 1>& query, std::size_t limit, std::size_t ef,
               const MaybeBitmap& eligible) {
                expect_query(query, *self.rows());
                Hits hits;
                {
                    const nb::gil_scoped_release released;
                    hits = self.search(query.data(), limit, ef, eligible_of(eligible));
                }
                return result(std::move(hits));
            },
            "query"_a.noconvert(), "limit"_a, "ef"_a, nb::kw_only(), "eligible"_a.noconvert() = nb::none())
        .def(
            "search_batch",
            [](const Graph& self, const Input<float, 2>& queries, std::size_t limit, std::size_t ef,
               std::size_t threads) {
                expect(queries.shape(1) == self.rows()->dimensions(), "the queries' length is not that of the rows");
                return batch(queries.shape(0), limit, threads, [&](std::size_t i) {
                    return self.search(queries.data() + i * self.rows()->dimensions(), limit, ef, {});
                });
            },
            "queries"_a.noconvert(), "limit"_a, "ef"_a, nb::kw_only(), "threads"_a = 1)
        .def("__len__", &Graph::size);
}
