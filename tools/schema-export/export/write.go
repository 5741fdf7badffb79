package export

import (
	"bytes"
	"encoding/json"
	"os"
	"sort"
)

// Merge adds the types of another result that are not here yet.
func (r *Result) Merge(other Result) {
	for name, t := range other.Types {
		if _, ok := r.Types[name]; !ok {
			r.Types[name], r.Docs[name] = t, other.Docs[name]
		}
	}
}

// Lines writes a map as one JSON object with an entry per line, sorted, so that a change of the
// API shows as a change of few lines.
func Lines[V any](entries map[string]V) ([]byte, error) {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	sort.Strings(names)
	var out bytes.Buffer
	out.WriteString("{\n")
	for i, name := range names {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(entries[name]); err != nil {
			return nil, err
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(bytes.TrimSpace(line.Bytes()))
		if i+1 < len(names) {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

// Save writes a result for another run to merge.
func (r *Result) Save(path string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// Load reads what Save wrote.
func Load(path string) (Result, error) {
	var r Result
	data, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, &r)
}
