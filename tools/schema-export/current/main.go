// Command current exports the types of the stable API and writes the two files that the model
// crate embeds: `types.json` and the compressed descriptions.
//
//	current LEGACY.json OUTPUT-DIRECTORY
package main

import (
	"bytes"
	"compress/zlib"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	certificates "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	flowcontrol "k8s.io/api/flowcontrol/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"schema-export/export"
)

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistration.AddToScheme, apps.AddToScheme, authentication.AddToScheme,
		authorization.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		batch.AddToScheme, certificates.AddToScheme, coordination.AddToScheme, core.AddToScheme,
		discovery.AddToScheme, events.AddToScheme, flowcontrol.AddToScheme,
		networking.AddToScheme, node.AddToScheme, policy.AddToScheme, rbac.AddToScheme,
		scheduling.AddToScheme, storage.AddToScheme, apiextensions.AddToScheme,
		apiregistration.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			log.Fatal(err)
		}
	}
	e := export.New()
	for gvk, t := range scheme.AllKnownTypes() {
		// The scheme registers the options types under every group; they belong to meta/v1.
		if gvk.Version == runtime.APIVersionInternal || strings.HasPrefix(t.PkgPath(), "k8s.io/apimachinery/pkg/apis/meta/") && t.Name() != "DeleteOptions" && t.Name() != "WatchEvent" && t.Name() != "Status" {
			continue
		}
		// A list of anything is no type that is served.
		if gvk.Kind == "List" {
			continue
		}
		if strings.HasSuffix(gvk.Kind, "Options") && gvk.Kind != "DeleteOptions" {
			continue
		}
		kind := export.Kind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}
		if err := e.Add(t, kind); err != nil {
			log.Fatal(err)
		}
	}
	for _, value := range []any{
		meta.LabelSelector{}, meta.ListOptions{}, meta.CreateOptions{}, meta.UpdateOptions{},
		meta.Patch{}, meta.PatchOptions{}, meta.GetOptions{}, meta.PartialObjectMetadata{},
		meta.PartialObjectMetadataList{}, version.Info{},
	} {
		if err := e.Add(reflect.TypeOf(value)); err != nil {
			log.Fatal(err)
		}
	}
	for _, value := range []any{
		meta.APIGroup{}, meta.APIGroupList{}, meta.APIResourceList{}, meta.APIVersions{},
	} {
		t := reflect.TypeOf(value)
		if err := e.Add(t, export.Kind{Version: "v1", Kind: t.Name()}); err != nil {
			log.Fatal(err)
		}
	}
	legacy, err := export.Load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	e.Merge(legacy)
	types, err := export.Lines(e.Types)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Args[2], "types.json"), types, 0o644); err != nil {
		log.Fatal(err)
	}
	docs, err := export.Lines(e.Docs)
	if err != nil {
		log.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.Write(docs); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(os.Args[2], "docs.json.zlib"), packed.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
