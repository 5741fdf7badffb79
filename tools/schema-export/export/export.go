// Package export turns Go API types into the compact description that Rampart embeds.
//
// Names, nesting, optionality and patch directives come from reflection over the types; list and
// map semantics, defaults, enumerations and descriptions from the comments in their sources.
package export

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// Field is one JSON field of a type. Empty members are left out to keep the file small.
type Field struct {
	Name     string   `json:"n"`
	Type     string   `json:"t"`
	Required bool     `json:"r,omitempty"`
	Pointer  bool     `json:"p,omitempty"`
	Omit     bool     `json:"o,omitempty"`
	Default  any      `json:"d,omitempty"`
	Enum     []string `json:"e,omitempty"`
	Strategy string   `json:"ps,omitempty"`
	MergeKey string   `json:"mk,omitempty"`
	ListType string   `json:"lt,omitempty"`
	ListKeys []string `json:"lk,omitempty"`
	MapType  string   `json:"mt,omitempty"`
	Go       string   `json:"g,omitempty"`
	// Where the field stands in protobuf messages: its number, after those of the messages that
	// JSON writes inline.
	Protobuf []int `json:"pb,omitempty"`
}

// Type is one object type.
type Type struct {
	Fields  []Field `json:"f"`
	Atomic  bool    `json:"a,omitempty"`
	MapType string  `json:"mt,omitempty"`
	// The group, version and kind of a top-level type.
	Kinds []Kind `json:"k,omitempty"`
}

// Kind is a group, version and kind under which a type is served.
type Kind struct {
	Group   string `json:"g"`
	Version string `json:"v"`
	Kind    string `json:"k"`
}

// Docs are the descriptions of one type and of its fields.
type Docs struct {
	Type   string            `json:"t,omitempty"`
	Fields map[string]string `json:"f,omitempty"`
}

// Result is everything exported.
type Result struct {
	Types map[string]*Type
	Docs  map[string]*Docs
}

// Exporter walks types.
type Exporter struct {
	Result
	source *sources
	names  map[string]reflect.Type
}

// New returns an exporter that finds sources with the go command of the current module.
func New() *Exporter {
	return &Exporter{
		Result: Result{Types: map[string]*Type{}, Docs: map[string]*Docs{}},
		source: newSources(),
		names:  map[string]reflect.Type{},
	}
}

// scalars are the types with their own JSON form; the text is the type's code in the output.
var scalars = map[string]string{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":                                         "quantity",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString":                                       "intOrString",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":                                             "time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":                                        "microTime",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":                                         "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":                                         "fieldsV1",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":                                          "rawExtension",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON":                         "json",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool":        "schemaOrBool",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":       "schemaOrArray",
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray": "schemaOrStrings",
}

// Name is the OpenAPI name of a named type.
func Name(t reflect.Type) string {
	domain, rest, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(domain, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(rest, "/", ".") + "." + t.Name()
}

// Add exports t and everything it refers to. With a kind, t is a top-level type.
func (e *Exporter) Add(t reflect.Type, kinds ...Kind) error {
	name, err := e.add(t)
	if err != nil {
		return err
	}
	e.Types[name].Kinds = append(e.Types[name].Kinds, kinds...)
	sort.Slice(e.Types[name].Kinds, func(i, j int) bool {
		a, b := e.Types[name].Kinds[i], e.Types[name].Kinds[j]
		return a.Group+"/"+a.Version+"/"+a.Kind < b.Group+"/"+b.Version+"/"+b.Kind
	})
	return nil
}

func (e *Exporter) add(t reflect.Type) (string, error) {
	name := Name(t)
	if known, ok := e.names[name]; ok {
		if known != t {
			return "", fmt.Errorf("two types named %s", name)
		}
		return name, nil
	}
	e.names[name] = t
	doc, err := e.source.typeDoc(t)
	if err != nil {
		return "", err
	}
	out := &Type{Fields: []Field{}, Atomic: doc.marker("structType") == "atomic" || doc.marker("mapType") == "atomic"}
	docs := &Docs{Type: doc.text, Fields: map[string]string{}}
	e.Types[name], e.Docs[name] = out, docs
	if err := e.fields(t, out, docs, nil); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	sort.Slice(out.Fields, func(i, j int) bool { return out.Fields[i].Name < out.Fields[j].Name })
	return name, nil
}

// number appends the field's protobuf number to those of the messages around it; nil for fields
// that protobuf does not have.
func number(within []int, f reflect.StructField) ([]int, error) {
	parts := strings.Split(f.Tag.Get("protobuf"), ",")
	if len(parts) < 2 {
		return nil, nil
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return append(append([]int{}, within...), n), nil
}

func (e *Exporter) fields(t reflect.Type, out *Type, docs *Docs, within []int) error {
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			outer, err := number(within, f)
			if err != nil {
				return err
			}
			before := len(out.Fields)
			if err := e.fields(inner, out, docs, outer); err != nil {
				return err
			}
			if outer == nil {
				// The type itself (TypeMeta) stands around the message, not in it.
				for j := before; j < len(out.Fields); j++ {
					out.Fields[j].Protobuf = nil
				}
			}
			continue
		}
		if !ok || name == "" {
			return fmt.Errorf("field %s has no JSON name", f.Name)
		}
		field, text, err := e.field(t, f, name, strings.Contains(options, "omitempty"))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if field.Protobuf, err = number(within, f); err != nil {
			return err
		}
		out.Fields = append(out.Fields, field)
		if text != "" {
			docs.Fields[name] = text
		}
	}
	return nil
}

func (e *Exporter) field(owner reflect.Type, f reflect.StructField, name string, omit bool) (Field, string, error) {
	doc, err := e.source.fieldDoc(owner, f.Name)
	if err != nil {
		return Field{}, "", err
	}
	code, err := e.code(f.Type)
	if err != nil {
		return Field{}, "", err
	}
	field := Field{
		Name:     name,
		Type:     code,
		Required: doc.has("required") || !omit && !doc.has("optional"),
		Pointer:  f.Type.Kind() == reflect.Pointer,
		Omit:     omit,
		Strategy: f.Tag.Get("patchStrategy"),
		MergeKey: f.Tag.Get("patchMergeKey"),
		ListType: doc.marker("listType"),
		ListKeys: doc.markers["listMapKey"],
		MapType:  doc.marker("mapType"),
	}
	if granularity := doc.marker("structType"); granularity != "" {
		field.MapType = granularity
	}
	if named := f.Type; named.Kind() == reflect.Slice || named.Kind() == reflect.Map {
		// A named list or map type may carry the markers itself.
		if named.Name() != "" && named.PkgPath() != "" {
			if outer, err := e.source.typeDoc(named); err == nil {
				if field.ListType == "" {
					field.ListType = outer.marker("listType")
				}
				if field.MapType == "" {
					field.MapType = outer.marker("mapType")
				}
			}
		}
	}
	if text := doc.marker("default"); text != "" {
		value, ok := e.source.literal(owner, text)
		if !ok {
			return Field{}, "", fmt.Errorf("default %q is not understood", text)
		}
		field.Default = value
	}
	plain := f.Type
	if plain.Kind() == reflect.Pointer {
		plain = plain.Elem()
	}
	text := doc.text
	if plain.Kind() == reflect.String && plain.PkgPath() != "" && scalars[key(plain)] == "" {
		values, list, err := e.source.enum(plain)
		if err != nil {
			return Field{}, "", err
		}
		field.Enum = values
		if list != "" {
			text += "\n\n" + list
		}
	}
	if element := plain; element.Kind() == reflect.Slice && element.Elem().Kind() == reflect.String && element.Elem().PkgPath() != "" {
		values, list, err := e.source.enum(element.Elem())
		if err != nil {
			return Field{}, "", err
		}
		field.Enum = values
		if list != "" {
			text += "\n\n" + list
		}
	}
	if goName := plain.String(); goName != goText(code) {
		field.Go = goName
	}
	return field, text, nil
}

func key(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

// code writes a type: a scalar's code, `[]` or `{}` before an element's code, or a type's name.
func (e *Exporter) code(t reflect.Type) (string, error) {
	if t.Kind() == reflect.Pointer {
		return e.code(t.Elem())
	}
	if code, ok := scalars[key(t)]; ok {
		doc, err := e.source.typeDoc(t)
		if err != nil {
			return "", err
		}
		e.Docs[Name(t)] = &Docs{Type: doc.text}
		return code, nil
	}
	switch t.Kind() {
	case reflect.String:
		return "string", nil
	case reflect.Bool:
		return "bool", nil
	case reflect.Int32:
		return "int32", nil
	case reflect.Int64:
		return "int64", nil
	case reflect.Float64:
		return "double", nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes", nil
		}
		inner, err := e.code(t.Elem())
		return "[]" + inner, err
	case reflect.Map:
		inner, err := e.code(t.Elem())
		return "{}" + inner, err
	case reflect.Struct:
		return e.add(t)
	case reflect.Uint8:
		return "int32", nil
	case reflect.Int:
		return "int64", nil
	}
	return "", fmt.Errorf("no code for %s", t)
}

// goText is the Go name that the reader derives from a code by itself.
func goText(code string) string {
	switch {
	case strings.HasPrefix(code, "[]"):
		return "[]" + goText(code[2:])
	case strings.HasPrefix(code, "{}"):
		return "map[string]" + goText(code[2:])
	}
	switch code {
	case "double":
		return "float64"
	case "bytes":
		return "[]uint8"
	case "quantity":
		return "resource.Quantity"
	case "intOrString":
		return "intstr.IntOrString"
	case "time":
		return "v1.Time"
	case "microTime":
		return "v1.MicroTime"
	case "duration":
		return "v1.Duration"
	case "fieldsV1":
		return "v1.FieldsV1"
	case "rawExtension":
		return "runtime.RawExtension"
	case "json":
		return "v1.JSON"
	case "schemaOrBool":
		return "v1.JSONSchemaPropsOrBool"
	case "schemaOrArray":
		return "v1.JSONSchemaPropsOrArray"
	case "schemaOrStrings":
		return "v1.JSONSchemaPropsOrStringArray"
	}
	parts := strings.Split(code, ".")
	if len(parts) > 2 {
		return strings.Join(parts[len(parts)-2:], ".")
	}
	return code
}
