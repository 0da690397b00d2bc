// What the search view shows. Pure: a tree of state and callbacks.

import type { Hit } from "../protocol";
import type { Cure } from "../webview/failure";
import { lineLabel } from "../webview/lines";
import { FailureBox, FRESHNESS, Icon, IconButton, Notices } from "../webview/parts";
import { rootNames } from "../webview/roots";
import { type Selection, within } from "./selection";
import { snippetOf, termsOf } from "./snippet";
import {
  type FileGroup,
  type Filters,
  groupByFile,
  MOST,
  type Mode,
  nameOf,
  type Results,
  type SearchState,
} from "./state";

export interface SearchViewProps {
  state: SearchState;
  /** What the query box holds; the state follows after a pause. */
  query: string;
  filters: Filters;
  showFilters: boolean;
  selection: Selection;
  onQuery(query: string): void;
  onFilters(filters: Filters): void;
  onToggleFilters(): void;
  onSearch(): void;
  onOpen(place: number, preserveFocus: boolean): void;
  onSimilar(place: number): void;
  onFold(uri: string): void;
  onMore(): void;
  onCure(cure: Cure): void;
}

const MODES: Record<Mode, { label: string; title: string }> = {
  hybrid: { label: "Hybrid", title: "By meaning and by words" },
  keyword: { label: "Keyword", title: "By words: identifiers and phrases" },
  vector: { label: "Vector", title: "By meaning alone" },
};
const FUNNEL = "M2 3h12l-4.7 5.5v4L6.7 14V8.5z";
const SNIPPET_LINES = 5;

export function SearchView(props: SearchViewProps) {
  const { results } = props.state;
  return (
    <>
      <QueryBox {...props} />
      <div class="status" role="status">
        <StatusLine {...props} />
      </div>
      {props.state.failure !== null && <FailureBox failure={props.state.failure} onCure={props.onCure} />}
      {results !== null && <Notices notices={results.notices} />}
      {results === null && props.state.failure === null && !props.state.searching && <Welcome />}
      {results !== null && <ResultList {...props} results={results} />}
    </>
  );
}

function QueryBox(props: SearchViewProps) {
  const { filters, onFilters, showFilters } = props;
  const chosen = within(props.selection, props.state.results);
  const filtered = filters.languages.trim() !== "" || filters.paths.trim() !== "";
  return (
    <search class="query">
      <div class="box">
        <input
          id="query"
          type="text"
          role="combobox"
          aria-label="Search code by meaning or by words"
          aria-expanded="true"
          aria-controls="results"
          aria-activedescendant={props.state.results?.hits.length ? `hit-${chosen.place}` : undefined}
          placeholder="Search code: a question, a phrase, a name"
          spellcheck={false}
          autocomplete="off"
          value={props.query}
          onInput={(event) => props.onQuery(event.currentTarget.value)}
        />
        <IconButton
          title={filtered ? "Filters (set)" : "Filters"}
          pressed={showFilters || filtered}
          onClick={props.onToggleFilters}
        >
          <Icon path={FUNNEL} />
        </IconButton>
      </div>
      <div class="modes" role="radiogroup" aria-label="Search mode">
        {Object.entries(MODES).map(([mode, { label, title }]) => (
          <label key={mode} title={title} class={filters.mode === mode ? "chosen" : ""}>
            <input
              type="radio"
              name="mode"
              value={mode}
              checked={filters.mode === mode}
              onChange={() => onFilters({ ...filters, mode: mode as Mode })}
            />
            {label}
          </label>
        ))}
      </div>
      {showFilters && (
        <div class="filters">
          <label>
            <span>Languages</span>
            <input
              id="languages"
              type="text"
              placeholder="python, go"
              spellcheck={false}
              value={filters.languages}
              onInput={(event) => onFilters({ ...filters, languages: event.currentTarget.value })}
            />
          </label>
          <label>
            <span>Paths</span>
            <input
              id="paths"
              type="text"
              placeholder="src/**, !tests/"
              title="Patterns as in .gitignore, relative to the workspace; ! leaves out"
              spellcheck={false}
              value={filters.paths}
              onInput={(event) => onFilters({ ...filters, paths: event.currentTarget.value })}
            />
          </label>
        </div>
      )}
    </search>
  );
}

function StatusLine({ state, onSearch }: SearchViewProps) {
  const { results, searching, subject } = state;
  const freshness = results === null ? undefined : FRESHNESS[results.freshness];
  return (
    <>
      {subject.kind === "similar" && <span class="subject">Similar to {subject.label}</span>}
      {searching && <span>Searching…</span>}
      {!searching && results !== null && <span>{summary(results)}</span>}
      {!searching && freshness !== undefined && results !== null && (
        <span class={`freshness ${results.freshness}`} title={freshness.explanation}>
          {freshness.label}
        </span>
      )}
      {!searching && results !== null && results.freshness !== "fresh" && (
        <button type="button" class="link" onClick={onSearch}>
          Search again
        </button>
      )}
    </>
  );
}

function summary({ hits, elapsedMs }: Results): string {
  if (hits.length === 0) {
    return "Nothing found";
  }
  const files = groupByFile(hits).length;
  const found = `${hits.length} ${hits.length === 1 ? "result" : "results"}`;
  return `${found} in ${files} ${files === 1 ? "file" : "files"}, ${Math.max(1, Math.round(elapsedMs))} ms`;
}

function Welcome() {
  return (
    <div class="welcome">
      <p>Ask how a thing is done, or name what you look for:</p>
      <ul>
        <li>where are passwords hashed</li>
        <li>retry with backoff</li>
        <li>parse_config</li>
      </ul>
      <p>
        <kbd>↑</kbd> <kbd>↓</kbd> choose a result, <kbd>Enter</kbd> opens it, <kbd>Alt</kbd>+<kbd>Enter</kbd> shows it
        and stays here.
      </p>
    </div>
  );
}

function ResultList(props: SearchViewProps & { results: Results }) {
  const { results, state } = props;
  const selection = within(props.selection, results);
  const terms = state.subject.kind === "words" ? termsOf(state.subject.query) : [];
  const groups = groupByFile(results.hits);
  const roots = rootNames(groups.map((group) => group.workspace));
  return (
    <div id="results" role="listbox" aria-label="Results" class={state.searching ? "results former" : "results"}>
      {groups.map((group) => (
        <File
          key={group.uri}
          {...props}
          group={group}
          terms={terms}
          selection={selection}
          root={results.folders > 1 || roots.size > 1 ? (roots.get(group.workspace) ?? "") : ""}
        />
      ))}
      {results.hits.length >= results.limit && results.limit < MOST && (
        <button type="button" class="link more" onClick={props.onMore}>
          Show up to {MOST} results
        </button>
      )}
      {results.hits.length === 0 && (
        <p class="empty">
          Try other words, another mode, or fewer filters. Files left out are named by “lucastra-client files
          --skipped”.
        </p>
      )}
    </div>
  );
}

interface FileProps extends SearchViewProps {
  results: Results;
  group: FileGroup;
  terms: string[];
  /** The workspace's name, where several are shown. */
  root: string;
}

function File(props: FileProps) {
  const { group, results, selection } = props;
  const folded = selection.folded.includes(group.uri);
  const place = [props.root, group.folder].filter((one) => one !== "").join(" · ");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a listbox may hold options and groups of options only
    <div class="file" role="group" aria-label={`${group.name} ${group.folder}`}>
      <button
        type="button"
        class="name"
        tabIndex={-1}
        aria-expanded={!folded}
        title={`${group.workspace}/${group.folder}/${group.name}`}
        onClick={() => props.onFold(group.uri)}
      >
        <Icon path={folded ? "M6 4l4 4-4 4" : "M4 6l4 4 4-4"} />
        <span class="filename">{group.name}</span>
        <span class="folder">{place}</span>
        <span class="badge">{group.hits.length}</span>
      </button>
      {!folded &&
        group.hits.map((hitPlace) => {
          const hit = results.hits[hitPlace];
          return hit && <Result key={nameOf(hit)} {...props} hit={hit} place={hitPlace} />;
        })}
    </div>
  );
}

function Result({ hit, place, ...props }: FileProps & { hit: Hit; place: number }) {
  const chosen = props.selection.place === place;
  const lines = snippetOf(hit.content, hit.range.start.line, props.terms, SNIPPET_LINES);
  return (
    <div
      class={chosen ? "hit chosen" : "hit"}
      id={`hit-${place}`}
      role="option"
      aria-selected={chosen}
      data-name={nameOf(hit)}
      tabIndex={-1}
    >
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the whole view's keyboard handler opens the chosen result */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the option around it has the role */}
      <div class="open" onClick={(event) => props.onOpen(place, event.altKey)}>
        <div class="head">
          {hit.symbol && <span class="symbol">{hit.symbol}</span>}
          {hit.kind && <span class="kind">{hit.kind}</span>}
          <span class="lines">{lineLabel(hit.range)}</span>
          <span class="score" title="Score; comparable within these results only">
            {hit.score.toFixed(2)}
          </span>
        </div>
        <pre class="snippet">
          {lines.map((line) => (
            <div key={line.number} class="line">
              <span class="number">{line.number}</span>
              <code>
                {line.pieces.map((piece, index) => (piece.marked ? <mark key={index}>{piece.text}</mark> : piece.text))}
              </code>
            </div>
          ))}
        </pre>
      </div>
      <IconButton title="Find similar code" onClick={() => props.onSimilar(place)}>
        <Icon path="M5.5 5.5h8v8h-8z M2.5 10.5v-8h8" />
      </IconButton>
    </div>
  );
}
